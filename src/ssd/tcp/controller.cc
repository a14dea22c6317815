// Properties and the Keep Alive timer, which both kinds of controller have.
#include "ssd/tcp/controller.h"

#include <algorithm>

namespace pynvme::ssd::tcp {
namespace {

namespace reg = spec::reg;

// What a fabric's controller has of the properties (NVMe Base 2.0 §3.1.3), and their bytes.
uint32_t property_bytes(uint32_t offset) {
  switch (offset) {
    case reg::kCap:
      return 8;
    case reg::kVs:
    case reg::kCc:
    case reg::kCsts:
    case reg::kCrto:
      return 4;
    default:
      return 0;
  }
}

// A property that is not there, or is of another size.
bool wrong(const spec::fabrics::Property& command) {
  const uint32_t bytes = property_bytes(command.ofst);
  const uint8_t size = command.attrib & 7;
  return bytes == 0 ||
         size != (bytes == 8 ? spec::fabrics::kAttribSize8 : spec::fabrics::kAttribSize4);
}

}  // namespace

uint16_t Controller::property_get(const spec::fabrics::Property& command, uint64_t* value) {
  if (wrong(command)) return kInvalidField;
  settle(now());
  if (command.ofst == reg::kCap) {
    // Queues are contiguous by nature, and there is no reset but the controller's own.
    *value = registers().cap().with_cqr(true).with_nssrs(false).with_nsss(false).value;
  } else {
    *value = registers().read(command.ofst, 0);
  }
  return kSuccess;
}

uint16_t Controller::property_set(const spec::fabrics::Property& command) {
  if (wrong(command)) return kInvalidField;
  if (command.ofst != reg::kCc && command.ofst != reg::kCsts) return kInvalidField;
  settle(now());
  const unsigned asked = registers().write(command.ofst, static_cast<uint32_t>(command.value));
  if (asked != 0) written(asked);
  settle(now());
  return kSuccess;
}

bool Controller::ready() {
  settle(now());
  const spec::Csts csts = registers().csts();
  return csts.rdy() && !csts.cfs() && csts.shst() != spec::Shst::kComplete;
}

bool Controller::advance(uint64_t now_ns) {
  settle(now_ns);
  advance_more(now_ns);
  if (now_ns < keep_alive_due_ns_) return true;
  keep_alive_due_ns_ = UINT64_MAX;
  registers().set_fatal();
  keep_alive_expired();
  return false;
}

uint64_t Controller::next_due() const { return std::min(keep_alive_due_ns_, more_due()); }

}  // namespace pynvme::ssd::tcp
