// The table behind the log; the dispatchers in admin.cc and nvm_checks.cc are its counterpart.
#include "ssd/admin/effects.h"

#include <initializer_list>

#include "spec/opcode.h"

namespace pynvme::ssd {

spec::CommandsSupportedEffects commands_supported_and_effects(bool fabric) {
  using Log = spec::CommandsSupportedEffects;
  namespace admin = spec::admin;
  namespace io = spec::io;
  Log log{};
  for (const uint8_t opcode : {admin::kDeleteIoSq,
                               admin::kCreateIoSq,
                               admin::kGetLogPage,
                               admin::kDeleteIoCq,
                               admin::kCreateIoCq,
                               admin::kIdentify,
                               admin::kAbort,
                               admin::kSetFeatures,
                               admin::kGetFeatures,
                               admin::kAsyncEventRequest,
                               admin::kFirmwareImageDownload,
                               admin::kDeviceSelfTest,
                               admin::kSecuritySend,
                               admin::kSecurityReceive,
                               admin::kDirectiveSend,
                               admin::kDirectiveReceive,
                               admin::kDoorbellBufferConfig,
                               admin::kMiSend,
                               admin::kMiReceive,
                               admin::kKeepAlive}) {
    log.acs[opcode] = Log::kCsupp;
  }
  log.acs[admin::kSetFeatures] |= Log::kCcc;
  log.acs[admin::kFirmwareCommit] = Log::kCsupp | Log::kCcc;
  // A format changes data and the namespace's description, with nobody else at work on it.
  log.acs[admin::kNamespaceManagement] =
      Log::kCsupp | Log::kLbcc | Log::kNic | Log::kCseNamespaceExclusive;
  log.acs[admin::kNamespaceAttachment] = Log::kCsupp | Log::kNic | Log::kCseNamespaceExclusive;
  log.acs[admin::kGetLbaStatus] = Log::kCsupp;
  log.acs[admin::kFormatNvm] = Log::kCsupp | Log::kLbcc | Log::kNcc | Log::kCseNamespaceExclusive;
  log.acs[admin::kSanitize] = Log::kCsupp | Log::kLbcc | Log::kCseControllerExclusive;
  for (const uint8_t opcode : {io::kFlush, io::kRead, io::kCompare, io::kVerify}) {
    log.iocs[opcode] = Log::kCsupp;
  }
  for (const uint8_t opcode :
       {io::kWrite, io::kWriteUncorrectable, io::kWriteZeroes, io::kDatasetManagement}) {
    log.iocs[opcode] = Log::kCsupp | Log::kLbcc;
  }
  if (fabric) {
    for (const uint8_t opcode : kPciAdminCommands) log.acs[opcode] = 0;
    log.acs[admin::kFabrics] = log.iocs[io::kFabrics] = Log::kCsupp;
  }
  return log;
}

}  // namespace pynvme::ssd
