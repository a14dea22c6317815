// Faults of admin commands that have passed their checks.
#include <optional>

#include "spec/command_fields.h"
#include "spec/opcode.h"
#include "ssd/admin/admin.h"
#include "ssd/admin/maintenance.h"
#include "ssd/faults/faults.h"

namespace pynvme::ssd {

std::optional<Outcome> Admin::execute_faulty(const spec::Sqe& sqe) {
  std::optional<Outcome> outcome;
  for (const FiredFault& one :
       parts_.faults.fire(FaultPoint::kExecute, FaultSubject(sqe, 0), [&](const Fault& fault) {
         return fault.action != FaultAction::kFailSanitize ||
                spec::sanitize_action(sqe.cdw10) != spec::sanact::kExitFailureMode;
       })) {
    switch (one.fault->action) {
      case FaultAction::kDrop:
        parts_.faults.describe(one, "not carried out", {});
        outcome = Outcome();
        break;
      case FaultAction::kStatus: {
        const uint16_t status = fault_status(*one.fault);
        parts_.faults.describe(one, "not carried out: " + fault_status_text(status), {});
        outcome = Outcome(status);
        break;
      }
      case FaultAction::kFailSanitize:
        parts_.maintenance.fail_next_sanitize();
        parts_.faults.describe(one, "the sanitize operation will fail", {});
        break;
      default:
        break;
    }
  }
  return outcome;
}

}  // namespace pynvme::ssd
