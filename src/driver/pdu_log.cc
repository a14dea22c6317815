#include "driver/pdu_log.h"

namespace pynvme::driver {

namespace wire = spec::tcp;

std::string pdu_text(const LoggedPdu& pdu) {
  std::string text = std::string(pdu.sent ? "sent " : "received ") + wire::pdu_name(pdu.type) +
                     " plen:" + std::to_string(pdu.plen);
  if (pdu.length != 0) {
    text += " offset:" + std::to_string(pdu.offset) + " length:" + std::to_string(pdu.length);
  }
  if ((pdu.flags & wire::kHdgstf) != 0) text += " HDGST";
  if ((pdu.flags & wire::kDdgstf) != 0) text += " DDGST";
  if ((pdu.flags & wire::kLastPdu) != 0) text += " LAST";
  if ((pdu.flags & wire::kSuccess) != 0) text += " SUCCESS";
  return text;
}

}  // namespace pynvme::driver
