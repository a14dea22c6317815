#include "verify/miscompare.h"

#include <algorithm>
#include <new>
#include <utility>

#include "spec/opcode.h"
#include "verify/effect.h"
#include "verify/forensics.h"

namespace pynvme::verify {
namespace {

// Of commands that have no LBAs in their SQE.
constexpr size_t kMaxOthers = 8;

bool touches(const spec::Sqe& sqe, const std::vector<uint64_t>& lbas) {
  const Access access = classify_io(sqe);
  return access.nlb != 0 && std::any_of(lbas.begin(), lbas.end(), [&](uint64_t lba) {
           return lba >= access.slba && lba - access.slba < access.nlb;
         });
}

}  // namespace

std::vector<driver::LoggedCommand> commands_touching(const CmdLogs& logs, uint32_t nsid,
                                                     const std::vector<uint64_t>& lbas,
                                                     size_t limit) {
  std::vector<driver::LoggedCommand> found;
  const std::vector<driver::LoggedCommand> all = driver::merged(logs);
  size_t others = 0;
  for (auto command = all.rbegin(); command != all.rend() && found.size() < limit; ++command) {
    const spec::Sqe& sqe = command->sqe;
    if (command->sqid == 0 || (sqe.nsid != nsid && sqe.nsid != spec::kNsidBroadcast)) continue;
    const bool other = sqe.opcode == spec::io::kFlush || sqe.opcode == spec::io::kDatasetManagement;
    if (other ? others < kMaxOthers : touches(sqe, lbas)) {
      if (other) ++others;
      found.push_back(*command);
    }
  }
  std::reverse(found.begin(), found.end());
  return found;
}

std::shared_ptr<const Miscompare> explain(const Mismatch& mismatch, Integrity& integrity,
                                          std::string device, const spec::Sqe& sqe, uint16_t sqid,
                                          const CmdLogs& logs, uint64_t now_ns) noexcept {
  if (mismatch.capture == nullptr) return nullptr;
  try {
    auto made = std::make_shared<Miscompare>();
    made->device = std::move(device);
    made->nsid = sqe.nsid;
    made->lba_bytes = mismatch.capture->lba_bytes;
    made->sqe = sqe;
    made->sqid = sqid;
    made->time_ns = now_ns;
    made->mismatch = mismatch;
    made->finding = examine(mismatch, known_namespaces(), integrity);
    std::vector<uint64_t> lbas = {mismatch.lba};
    const auto& origin = made->finding.found;
    if (origin && origin->nsid == sqe.nsid && origin->lba != mismatch.lba)
      lbas.push_back(origin->lba);
    made->commands = commands_touching(logs, sqe.nsid, lbas, Miscompare::kMaxCommands);
    return made;
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

}  // namespace pynvme::verify
