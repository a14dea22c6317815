// Directive Send and Receive (NVMe Base 2.0 §5.10, §5.11, §8.7): the Identify directive, which
// every controller with directives has. There are no streams.
#include <algorithm>

#include "spec/command_fields.h"
#include "ssd/admin/admin.h"

namespace pynvme::ssd {
namespace {

constexpr uint8_t kIdentifyDirective = 0x00;
constexpr uint8_t kReturnParameters = 0x01;

}  // namespace

Outcome Admin::directive_receive(const spec::Sqe& sqe) {
  if (sqe.nsid != spec::kNsidBroadcast && parts_.namespaces.find(sqe.nsid) == nullptr) {
    return parts_.namespaces.refusal(sqe.nsid);
  }
  const uint64_t bytes = (uint64_t{sqe.cdw10} + 1) * 4;
  if (spec::directive_type(sqe.cdw11) != kIdentifyDirective ||
      spec::directive_operation(sqe.cdw11) != kReturnParameters || exceeds_mdts(bytes)) {
    return kInvalidField;
  }
  spec::DirectiveParameters parameters{};
  parameters.supported[0] = parameters.enabled[0] = 1 << kIdentifyDirective;
  return to_host(sqe, &parameters, std::min<uint64_t>(bytes, sizeof parameters), bytes);
}

Outcome Admin::directive_send(const spec::Sqe& sqe) {
  if (sqe.nsid != spec::kNsidBroadcast && parts_.namespaces.find(sqe.nsid) == nullptr) {
    return parts_.namespaces.refusal(sqe.nsid);
  }
  // Enable Directive is all that can be sent to the Identify directive, and it is good for other
  // directives only: the Identify directive is always enabled (§8.7.2.2).
  return kInvalidField;
}

}  // namespace pynvme::ssd
