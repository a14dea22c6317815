// Lines of text: the command, its fields that say something, its completion, its latency.
#include "driver/cmdlog_text.h"

#include <cinttypes>
#include <cstdio>

#include "driver/cmdlog_fields.h"
#include "spec/opcode.h"
#include "spec/status.h"
#include "spec/wire.h"

namespace pynvme::driver {
namespace {

using spec::Sqe;

std::string hex(uint64_t value, int digits = 1) {
  char text[24];
  std::snprintf(text, sizeof(text), "%0*" PRIx64, digits, value);
  return text;
}

void append(std::string& text, const char* name, uint64_t value) {
  text += std::string(" ") + name + ":" + std::to_string(value);
}

void append_hex(std::string& text, const char* name, uint64_t value) {
  text += std::string(" ") + name + ":0x" + hex(value);
}

// "lid:0x2 (SMART / Health Information)"
const char* meaning(const Sqe& sqe, uint16_t sqid) {
  if (sqid != 0) return "";
  const auto identifier = static_cast<uint8_t>(sqe.cdw10);
  switch (sqe.opcode) {
    case spec::admin::kGetLogPage:
      return log_page_name(identifier);
    case spec::admin::kSetFeatures:
    case spec::admin::kGetFeatures:
      return feature_name(identifier);
    default:
      return "";
  }
}

}  // namespace

std::string command_text(const Sqe& sqe, uint16_t sqid) {
  const bool admin = sqid == 0;
  char opcode[8];
  std::snprintf(opcode, sizeof(opcode), " (%02Xh)", sqe.opcode);
  std::string text =
      admin ? spec::admin_command_name(sqe.opcode) : spec::io_command_name(sqe.opcode);
  text += opcode;
  append(text, "sqid", sqid);
  append(text, "cid", sqe.cid);
  append(text, "nsid", sqe.nsid);
  if (sqe.fuse() != spec::Fuse::kNormal) append(text, "fuse", spec::bits(sqe.flags, 1, 0));
  if (sqe.psdt() != spec::Psdt::kPrp) append(text, "psdt", spec::bits(sqe.flags, 7, 6));
  const char* about = meaning(sqe, sqid);
  for (const NamedField& field : command_fields(sqe, sqid)) {
    if (field.value == 0 && !field.telling) continue;
    (field.hex ? append_hex : append)(text, field.name, field.value);
    if (*about != '\0') text += std::string(" (") + about + ")";
    about = "";
  }
  if (sqe.cdw2 != 0) append_hex(text, "cdw2", sqe.cdw2);
  if (sqe.cdw3 != 0) append_hex(text, "cdw3", sqe.cdw3);
  if (sqe.mptr != 0) append_hex(text, "mptr", sqe.mptr);
  const bool prps = sqe.psdt() == spec::Psdt::kPrp;
  if (sqe.prp1 != 0) append_hex(text, prps ? "prp1" : "sgl1", sqe.prp1);
  if (sqe.prp2 != 0) append_hex(text, prps ? "prp2" : "sgl1_high", sqe.prp2);
  return text;
}

std::string completion_text(const spec::Cqe& cqe) {
  std::string text = spec::status_text(cqe.sct(), cqe.sc());
  text += " (" + hex(cqe.sct(), 2) + "/" + hex(cqe.sc(), 2) + ")";
  append(text, "sqid", cqe.sqid);
  append(text, "cid", cqe.cid);
  append_hex(text, "cdw0", cqe.cdw0);
  append(text, "sqhd", cqe.sqhd);
  append(text, "p", cqe.phase() ? 1 : 0);
  append(text, "m", cqe.more() ? 1 : 0);
  append(text, "dnr", cqe.dnr() ? 1 : 0);
  return text;
}

std::string logged_text(const LoggedCommand& command) {
  std::string text = command_text(command.sqe, command.sqid) + " -> ";
  switch (command.state) {
    case CommandState::kOutstanding:
      return text + (command.submit_ns == 0 ? "not rung yet" : "outstanding");
    case CommandState::kTimedOut:
      text += "timed out";
      break;
    case CommandState::kCompleted:
      text += completion_text(command.cqe);
      break;
  }
  char latency[32];
  std::snprintf(latency, sizeof(latency), " (%.3f us)",
                static_cast<double>(command.complete_ns - command.submit_ns) / 1000.0);
  return text + latency;
}

}  // namespace pynvme::driver
