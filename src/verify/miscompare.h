// A miscompare with all that is known of it: what the read was, what the data turned out to be, and
// the last commands that touched the LBA, from the command logs of all queues. What is made of it
// (artefacts, text) is up to Python.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "driver/cmdlog.h"
#include "spec/command.h"
#include "verify/finding.h"
#include "verify/integrity.h"

namespace pynvme::verify {

using CmdLogs = std::vector<std::shared_ptr<const driver::CmdLog>>;

struct Miscompare {
  static constexpr size_t kMaxCommands = 48;

  std::string device;
  uint32_t nsid = 1;
  uint32_t lba_bytes = 512;
  spec::Sqe sqe{};  // the command that found it, with its CID
  uint16_t sqid = 0;
  uint64_t time_ns = 0;  // of the analysis
  Mismatch mismatch;
  Finding finding;
  std::vector<driver::LoggedCommand> commands;  // oldest first
};

// The newest commands that touched one of the LBAs, and the newest of those that may have (Flush,
// Dataset Management, whose ranges are not in the log), oldest first.
std::vector<driver::LoggedCommand> commands_touching(const CmdLogs& logs, uint32_t nsid,
                                                     const std::vector<uint64_t>& lbas,
                                                     size_t limit);

// Null when the mismatch has no evidence, or there is no memory.
std::shared_ptr<const Miscompare> explain(const Mismatch& mismatch, Integrity& integrity,
                                          std::string device, const spec::Sqe& sqe, uint16_t sqid,
                                          const CmdLogs& logs, uint64_t now_ns) noexcept;

}  // namespace pynvme::verify
