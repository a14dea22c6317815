// One table row per named field: which commands have it, where it lies, how it is written.
#include "driver/cmdlog_text.h"

#include <cinttypes>
#include <cstdio>

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

struct Field {
  const char* name;
  uint8_t dword;  // 10..15
  uint8_t high;
  uint8_t low;
  bool hex = false;
  bool zero_based = false;  // shown as what it means
};

uint32_t dword(const Sqe& sqe, unsigned index) {
  const uint32_t dwords[] = {sqe.cdw10, sqe.cdw11, sqe.cdw12, sqe.cdw13, sqe.cdw14, sqe.cdw15};
  return dwords[index - 10];
}

struct Layout {
  bool slba;
  const Field* fields;
  size_t count;
};

template <size_t kCount>
constexpr Layout layout(bool slba, const Field (&fields)[kCount]) {
  return {slba, fields, kCount};
}

// NVMe Base 2.0 §5, in the order of the opcodes.
constexpr Field kDeleteQueue[] = {{"qid", 10, 15, 0}};
constexpr Field kCreateSq[] = {{"qid", 10, 15, 0},
                               {"qsize", 10, 31, 16, false, true},
                               {"pc", 11, 0, 0},
                               {"qprio", 11, 2, 1},
                               {"cqid", 11, 31, 16}};
constexpr Field kCreateCq[] = {{"qid", 10, 15, 0},
                               {"qsize", 10, 31, 16, false, true},
                               {"pc", 11, 0, 0},
                               {"ien", 11, 1, 1},
                               {"iv", 11, 31, 16}};
constexpr Field kGetLogPage[] = {{"lid", 10, 7, 0, true},    {"lsp", 10, 14, 8},
                                 {"rae", 10, 15, 15},        {"numdl", 10, 31, 16, true},
                                 {"numdu", 11, 15, 0, true}, {"lpol", 12, 31, 0, true},
                                 {"lpou", 13, 31, 0, true}};
constexpr Field kIdentify[] = {
    {"cns", 10, 7, 0, true}, {"cntid", 10, 31, 16}, {"cnssid", 11, 15, 0}, {"csi", 11, 31, 24}};
constexpr Field kAbort[] = {{"sqid_abort", 10, 15, 0}, {"cid_abort", 10, 31, 16}};
constexpr Field kSetFeatures[] = {{"fid", 10, 7, 0, true},
                                  {"sv", 10, 31, 31},
                                  {"cdw11", 11, 31, 0, true},
                                  {"cdw12", 12, 31, 0, true}};
constexpr Field kGetFeatures[] = {
    {"fid", 10, 7, 0, true}, {"sel", 10, 10, 8}, {"cdw11", 11, 31, 0, true}};
constexpr Field kFirmwareCommit[] = {{"fs", 10, 2, 0}, {"ca", 10, 5, 3}};
constexpr Field kFirmwareDownload[] = {{"numd", 10, 31, 0, false, true}, {"ofst", 11, 31, 0, true}};
constexpr Field kFormat[] = {{"lbaf", 10, 3, 0},
                             {"mset", 10, 4, 4},
                             {"pi", 10, 7, 5},
                             {"pil", 10, 8, 8},
                             {"ses", 10, 11, 9}};
// NVM Command Set 1.0 §3.2.
constexpr Field kReadWrite[] = {{"nlb", 12, 15, 0, false, true},
                                {"prinfo", 12, 29, 26},
                                {"fua", 12, 30, 30},
                                {"lr", 12, 31, 31},
                                {"dsm", 13, 7, 0, true}};
constexpr Field kBlocks[] = {{"nlb", 12, 15, 0, false, true}};
constexpr Field kWriteZeroes[] = {
    {"nlb", 12, 15, 0, false, true}, {"deac", 12, 25, 25}, {"fua", 12, 30, 30}};
constexpr Field kDsm[] = {
    {"nr", 10, 7, 0, false, true}, {"idr", 11, 0, 0}, {"idw", 11, 1, 1}, {"ad", 11, 2, 2}};
constexpr Field kRaw[] = {{"cdw10", 10, 31, 0, true}, {"cdw11", 11, 31, 0, true},
                          {"cdw12", 12, 31, 0, true}, {"cdw13", 13, 31, 0, true},
                          {"cdw14", 14, 31, 0, true}, {"cdw15", 15, 31, 0, true}};

Layout admin_layout(uint8_t opcode) {
  switch (opcode) {
    case spec::admin::kDeleteIoSq:
    case spec::admin::kDeleteIoCq:
      return layout(false, kDeleteQueue);
    case spec::admin::kCreateIoSq:
      return layout(false, kCreateSq);
    case spec::admin::kCreateIoCq:
      return layout(false, kCreateCq);
    case spec::admin::kGetLogPage:
      return layout(false, kGetLogPage);
    case spec::admin::kIdentify:
      return layout(false, kIdentify);
    case spec::admin::kAbort:
      return layout(false, kAbort);
    case spec::admin::kSetFeatures:
      return layout(false, kSetFeatures);
    case spec::admin::kGetFeatures:
      return layout(false, kGetFeatures);
    case spec::admin::kFirmwareCommit:
      return layout(false, kFirmwareCommit);
    case spec::admin::kFirmwareImageDownload:
      return layout(false, kFirmwareDownload);
    case spec::admin::kFormatNvm:
      return layout(false, kFormat);
    default:
      return layout(false, kRaw);
  }
}

Layout io_layout(uint8_t opcode) {
  switch (opcode) {
    case spec::io::kWrite:
    case spec::io::kRead:
    case spec::io::kCompare:
      return layout(true, kReadWrite);
    case spec::io::kWriteUncorrectable:
    case spec::io::kVerify:
      return layout(true, kBlocks);
    case spec::io::kWriteZeroes:
      return layout(true, kWriteZeroes);
    case spec::io::kDatasetManagement:
      return layout(false, kDsm);
    default:
      return layout(false, kRaw);
  }
}

}  // namespace

std::string command_text(const Sqe& sqe, uint16_t sqid) {
  const bool admin = sqid == 0;
  const Layout shown = admin ? admin_layout(sqe.opcode) : io_layout(sqe.opcode);
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
  if (shown.slba) append_hex(text, "slba", sqe.slba());
  for (size_t i = 0; i < shown.count; ++i) {
    const Field& field = shown.fields[i];
    const uint32_t value = spec::bits(dword(sqe, field.dword), field.high, field.low);
    // The first field says what the command is about; others are worth their place when they are
    // set.
    if (value == 0 && i != 0 && !field.zero_based) continue;
    const uint64_t meant = uint64_t{value} + (field.zero_based ? 1 : 0);
    (field.hex ? append_hex : append)(text, field.name, meant);
  }
  if (sqe.mptr != 0) append_hex(text, "mptr", sqe.mptr);
  if (sqe.prp1 != 0) append_hex(text, "prp1", sqe.prp1);
  if (sqe.prp2 != 0) append_hex(text, "prp2", sqe.prp2);
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
