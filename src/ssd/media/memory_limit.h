// How much memory this process may still take before the kernel starts to kill: the kernel grants
// address space it cannot back, so a drive kept in memory has to ask before it grows.
#pragma once

#include <cstdint>
#include <string_view>

namespace pynvme::ssd {

// The machine's available memory, less where a control group (a container) allows less.
uint64_t available_memory_bytes();

// The number in the line "key: 123 kB" or "key 123" of text; fallback when there is none.
uint64_t number_after(std::string_view text, std::string_view key, uint64_t fallback);

}  // namespace pynvme::ssd
