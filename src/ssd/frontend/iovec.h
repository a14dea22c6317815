// A piece of host memory that a command's data pointer named, already checked and translated.
#pragma once

#include <cstdint>

namespace pynvme::ssd {

struct IoVec {
  uint8_t* base;
  uint32_t size;
};

}  // namespace pynvme::ssd
