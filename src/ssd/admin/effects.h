// The Commands Supported and Effects log (LID 05h): every command this SSD carries out.
#pragma once

#include <cstdint>

#include "spec/log.h"
#include "spec/opcode.h"

namespace pynvme::ssd {

// Admin commands about queues and doorbells in host memory, which a fabric has not (NVMe Base 2.0
// §5, figure 138).
inline constexpr uint8_t kPciAdminCommands[] = {spec::admin::kDeleteIoSq, spec::admin::kCreateIoSq,
                                                spec::admin::kDeleteIoCq, spec::admin::kCreateIoCq,
                                                spec::admin::kDoorbellBufferConfig};

spec::CommandsSupportedEffects commands_supported_and_effects(bool fabric);

}  // namespace pynvme::ssd
