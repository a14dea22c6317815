#include "driver/tcp/discovery.h"

#include <algorithm>
#include <cstring>

#include "base/clock.h"
#include "driver/admin_commands.h"
#include "driver/errors.h"
#include "driver/tcp/authentication.h"
#include "driver/tcp/fabrics_commands.h"
#include "driver/tcp/stream.h"
#include "driver/tcp/tcp_queue.h"
#include "spec/fabrics.h"
#include "spec/opcode.h"
#include "spec/registers.h"

namespace pynvme::driver::tcp {

namespace fabrics = spec::fabrics;
namespace reg = spec::reg;

namespace {

constexpr uint8_t kDiscoveryLog = 0x70;
constexpr uint64_t kMaxEntries = 1024;  // a target may claim any number
constexpr unsigned kTries = 3;          // while the log changes under the reader
constexpr uint32_t kEntries = 32;

template <size_t n>
std::string text_of(const char (&field)[n]) {
  std::string text(field, strnlen(field, n));
  while (!text.empty() && text.back() == ' ') text.pop_back();
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = '?';
  }
  return text;
}

DiscoveryEntry decode(const fabrics::DiscoveryLogEntry& wire) {
  const auto pick = [](uint8_t value, std::initializer_list<const char*> names) -> std::string {
    if (value < names.size() && *(names.begin() + value) != nullptr)
      return *(names.begin() + value);
    return std::to_string(value);
  };
  DiscoveryEntry entry;
  entry.trtype = pick(wire.trtype, {"unspecified", "rdma", "fc", "tcp"});
  entry.adrfam = pick(wire.adrfam, {"unspecified", "ipv4", "ipv6", "ib", "fc"});
  entry.subtype = pick(wire.subtype, {nullptr, "discovery referral", "nvm subsystem",
                                      "current discovery subsystem"});
  entry.treq = pick(wire.treq & 3, {"not specified", "required", "not required"});
  entry.sectype =
      wire.trtype == fabrics::kTrtypeTcp ? pick(wire.tsas[0], {"none", "tls1.2", "tls1.3"}) : "";
  entry.portid = wire.portid;
  entry.cntlid = wire.cntlid;
  entry.asqsz = wire.asqsz;
  entry.traddr = text_of(wire.traddr);
  entry.trsvcid = text_of(wire.trsvcid);
  entry.subnqn = text_of(wire.subnqn);
  return entry;
}

// A Discovery controller, from Connect to its log.
class Discovery {
 public:
  Discovery(const Options& options, const std::function<void()>& idle)
      : options_(options),
        idle_(idle),
        queue_({0, kEntries - TcpQueue::kOwnCommands, {}, {}}, options, base::Clock::real(), true) {
    queue_.open(dial(options_, std::string(fabrics::kDiscoveryNqn), idle_), idle_);
    auto data =
        connect_data(options_, std::string(fabrics::kDiscoveryNqn), fabrics::kCntlidDynamic);
    const spec::Cqe cqe = run(connect_command(0, kEntries, 0, 0), &data, sizeof(data), "Connect");
    if (!cqe.ok()) {
      throw EnumerateError(options_.name + " has no Discovery service: " + connect_refusal(cqe));
    }
    // That it proves itself is wanted of subsystems.
    if ((cqe.cdw0 & (fabrics::kAuthreqAtr | fabrics::kAuthreqAscr)) != 0) {
      try {
        authenticate(queue_, options_, std::string(fabrics::kDiscoveryNqn), cqe, idle_);
      } catch (const DeviceGone& error) {
        throw EnumerateError(error.what());
      }
    }
    constexpr uint32_t kEnable = spec::Cc{0}.with_iosqes(6).with_iocqes(4).with_en(true).value;
    expect(run(property_set_command(reg::kCc, kEnable, false), nullptr, 0, "Property Set"),
           "Property Set CC");
    const base::Clock& clock = base::Clock::real();
    const uint64_t start_ns = clock.now_ns();
    while (true) {
      const spec::Cqe csts =
          run(property_get_command(reg::kCsts, false), nullptr, 0, "Property Get");
      expect(csts, "Property Get CSTS");
      if (spec::Csts{csts.cdw0}.rdy()) break;
      if (clock.now_ns() - start_ns > uint64_t{options_.answer_ms} * 1'000'000) {
        throw EnumerateError(options_.name + ": the Discovery controller does not become ready");
      }
    }
  }

  std::vector<DiscoveryEntry> read() {
    for (unsigned tries = 0;; ++tries) {
      const auto before = header();
      if (before.recfmt != 0 || before.numrec > kMaxEntries) {
        throw EnumerateError(options_.name + ": the Discovery log has record format " +
                             std::to_string(before.recfmt) + " and " +
                             std::to_string(before.numrec) + " entries");
      }
      std::vector<DiscoveryEntry> entries;
      for (uint64_t i = 0; i < before.numrec; ++i) {
        fabrics::DiscoveryLogEntry entry{};
        log(sizeof(fabrics::DiscoveryLogHeader) + i * sizeof(entry), &entry, sizeof(entry));
        entries.push_back(decode(entry));
      }
      if (header().genctr == before.genctr || tries == kTries) return entries;
    }
  }

 private:
  spec::Cqe run(const spec::Sqe& sqe, void* data, uint32_t size, const char* what) {
    try {
      return queue_.execute(sqe, data, size, what, idle_);
    } catch (const DeviceGone& error) {
      throw EnumerateError(error.what());
    }
  }
  void expect(const spec::Cqe& cqe, const char* what) const {
    if (cqe.ok()) return;
    throw EnumerateError(options_.name + ": " + what +
                         " of the Discovery controller failed: " + connect_refusal(cqe));
  }
  fabrics::DiscoveryLogHeader header() {
    fabrics::DiscoveryLogHeader header{};
    log(0, &header, sizeof(header));
    return header;
  }
  void log(uint64_t offset, void* data, uint32_t size) {
    spec::Sqe sqe{};
    sqe.opcode = spec::admin::kGetLogPage;
    sqe.cdw10 = (size / 4 - 1) << 16 | kDiscoveryLog;
    sqe.cdw12 = static_cast<uint32_t>(offset);
    sqe.cdw13 = static_cast<uint32_t>(offset >> 32);
    expect(run(sqe, data, size, "Get Log Page"), "Get Log Page (Discovery)");
  }

  const Options& options_;
  const std::function<void()>& idle_;
  TcpQueue queue_;
};

}  // namespace

std::vector<DiscoveryEntry> discover(const Options& options, const std::function<void()>& idle) {
  return Discovery(options, idle).read();
}

FoundSubsystem find_subsystem(const Options& options, const std::function<void()>& idle) {
  std::vector<DiscoveryEntry> entries;
  try {
    entries = discover(options, idle);
  } catch (const EnumerateError& error) {
    const std::string text = error.what();
    throw EnumerateError(text + (text.ends_with('?') ? " " : ". ") +
                         "Where a subsystem is named (;nqn=...) it need not be found");
  }
  // Those of this very port; of any where there are none, for it may be forwarded to another.
  std::vector<std::string> found;
  std::string elsewhere;
  for (const bool any_port : {false, true}) {
    for (const DiscoveryEntry& entry : entries) {
      if (!entry.is_nvm_over_tcp() || std::count(found.begin(), found.end(), entry.subnqn) != 0) {
        continue;
      }
      if (!any_port && entry.trsvcid != std::to_string(options.port)) continue;
      found.push_back(entry.subnqn);
      if (!any_port) continue;
      elsewhere = entry.adrfam == "ipv6" ? "[" + entry.traddr + "]" : entry.traddr;
      elsewhere += ":" + entry.trsvcid;
    }
    if (!found.empty()) break;
  }
  if (found.size() == 1) return {found.front(), elsewhere};
  if (found.empty()) {
    throw EnumerateError(
        options.name +
        ": its Discovery service tells of no NVM subsystem over TCP (./pynvme discover " +
        options.name + " shows what it tells of)");
  }
  std::string list;
  for (const std::string& nqn : found) list.append("\n  " + options.name + ";nqn=" + nqn);
  throw EnumerateError(options.name + " has " + std::to_string(found.size()) +
                       " NVM subsystems; name one:" + list);
}

}  // namespace pynvme::driver::tcp
