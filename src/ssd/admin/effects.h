// The Commands Supported and Effects log (LID 05h): every command this SSD carries out.
#pragma once

#include "spec/log.h"

namespace pynvme::ssd {

spec::CommandsSupportedEffects commands_supported_and_effects();

}  // namespace pynvme::ssd
