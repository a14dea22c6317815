// SQEs of Fabrics commands (NVMe Base 2.0 §6), and what their refusals mean.
#pragma once

#include <cstdint>
#include <string>

#include "driver/tcp/options.h"
#include "spec/command.h"
#include "spec/fabrics.h"

namespace pynvme::driver::tcp {

// entries: how many, not 0-based.
spec::Sqe connect_command(uint16_t qid, uint32_t entries, uint8_t priority, uint32_t kato_ms);
spec::fabrics::ConnectData connect_data(const Options& options, const std::string& subnqn,
                                        uint16_t cntlid);
spec::Sqe property_get_command(uint32_t offset, bool wide);
spec::Sqe property_set_command(uint32_t offset, uint64_t value, bool wide);
spec::Sqe keep_alive_command();
spec::Sqe authentication_command(bool send, uint32_t bytes);

// "Connect Invalid Host (01/84): ...": what a target says with the completion of a Connect.
std::string connect_refusal(const spec::Cqe& cqe);
// The refusal is about SQSIZE.
bool refuses_sqsize(const spec::Cqe& cqe);

}  // namespace pynvme::driver::tcp
