#include "driver/tcp/fabrics_commands.h"

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <cstring>

#include "spec/auth.h"
#include "spec/opcode.h"
#include "spec/status.h"

namespace pynvme::driver::tcp {

namespace fabrics = spec::fabrics;

namespace {

template <class Wire>
spec::Sqe as_sqe(const Wire& command) {
  static_assert(sizeof(Wire) == sizeof(spec::Sqe));
  spec::Sqe sqe;
  std::memcpy(static_cast<void*>(&sqe), &command, sizeof(sqe));
  return sqe;
}

void copy(char (&to)[256], const std::string& from) {
  std::memcpy(to, from.data(), std::min(from.size(), sizeof(to) - 1));
}

const char* parameter_name(uint32_t cdw0) {
  const uint16_t at = fabrics::connect_ipo(cdw0);
  if ((cdw0 & fabrics::kIattrData) != 0) {
    switch (at) {
      case offsetof(fabrics::ConnectData, hostid):
        return "the host identifier (;hostid=)";
      case offsetof(fabrics::ConnectData, cntlid):
        return "the controller identifier";
      case offsetof(fabrics::ConnectData, subnqn):
        return "the subsystem NQN (;nqn=): there is no such subsystem, or not for this host";
      case offsetof(fabrics::ConnectData, hostnqn):
        return "the host NQN (;hostnqn=)";
      default:
        return "a field of the data";
    }
  }
  switch (at) {
    case offsetof(fabrics::Connect, qid):
      return "the queue identifier";
    case offsetof(fabrics::Connect, sqsize):
      return "the queue size";
    case offsetof(fabrics::Connect, kato):
      return "the Keep Alive time-out (;kato=)";
    default:
      return "a field of the command";
  }
}

}  // namespace

spec::Sqe connect_command(uint16_t qid, uint32_t entries, uint8_t priority, uint32_t kato_ms) {
  fabrics::Connect command{};
  command.opcode = fabrics::kOpcode;
  command.fctype = fabrics::kConnect;
  command.qid = qid;
  command.sqsize = static_cast<uint16_t>(entries - 1);
  command.cattr = priority & 3U;
  command.kato = kato_ms;
  return as_sqe(command);
}

fabrics::ConnectData connect_data(const Options& options, const std::string& subnqn,
                                  uint16_t cntlid) {
  fabrics::ConnectData data{};
  std::memcpy(data.hostid, options.hostid.data(), sizeof(data.hostid));
  data.cntlid = cntlid;
  copy(data.subnqn, subnqn);
  copy(data.hostnqn, options.hostnqn);
  return data;
}

spec::Sqe property_get_command(uint32_t offset, bool wide) {
  fabrics::Property command{};
  command.opcode = fabrics::kOpcode;
  command.fctype = fabrics::kPropertyGet;
  command.attrib = wide ? fabrics::kAttribSize8 : fabrics::kAttribSize4;
  command.ofst = offset;
  return as_sqe(command);
}

spec::Sqe property_set_command(uint32_t offset, uint64_t value, bool wide) {
  fabrics::Property command{};
  command.opcode = fabrics::kOpcode;
  command.fctype = fabrics::kPropertySet;
  command.attrib = wide ? fabrics::kAttribSize8 : fabrics::kAttribSize4;
  command.ofst = offset;
  command.value = value;
  return as_sqe(command);
}

spec::Sqe keep_alive_command() {
  spec::Sqe sqe{};
  sqe.opcode = spec::admin::kKeepAlive;
  return sqe;
}

spec::Sqe authentication_command(bool send, uint32_t bytes) {
  fabrics::Authentication command{};
  command.opcode = fabrics::kOpcode;
  command.fctype = send ? fabrics::kAuthenticationSend : fabrics::kAuthenticationReceive;
  command.spsp0 = command.spsp1 = spec::auth::kSpsp;
  command.secp = fabrics::kSecpNvmeAuthentication;
  command.length = bytes;
  return as_sqe(command);
}

bool refuses_sqsize(const spec::Cqe& cqe) {
  return cqe.sct() == spec::sct::kCommandSpecific &&
         cqe.sc() == spec::sc::kFabricsConnectInvalidParameters &&
         (cqe.cdw0 & fabrics::kIattrData) == 0 &&
         fabrics::connect_ipo(cqe.cdw0) == offsetof(fabrics::Connect, sqsize);
}

std::string connect_refusal(const spec::Cqe& cqe) {
  char code[16];
  std::snprintf(code, sizeof(code), " (%02x/%02x)", cqe.sct(), cqe.sc());
  std::string text = spec::status_text(cqe.sct(), cqe.sc(), true) + std::string(code);
  if (cqe.sct() != spec::sct::kCommandSpecific) return text;
  switch (cqe.sc()) {
    case spec::sc::kFabricsControllerBusy:
      return text + ": the controller has a host already, or there are no more controllers";
    case spec::sc::kFabricsConnectInvalidParameters:
      return text + ": " + parameter_name(cqe.cdw0);
    case spec::sc::kFabricsConnectInvalidHost:
      return text + ": the subsystem does not take this host NQN (;hostnqn=, PYNVME_HOSTNQN)";
    case spec::sc::kFabricsAuthenticationRequired:
      return text + ": give a secret (;dhchap_secret=)";
    default:
      return text;
  }
}

}  // namespace pynvme::driver::tcp
