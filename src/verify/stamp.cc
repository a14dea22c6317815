#include "verify/stamp.h"

#include <atomic>

namespace pynvme::verify {
namespace {

// On a line of its own: every writing worker changes it.
alignas(64) std::atomic<uint64_t> counter{1};

}  // namespace

uint64_t take_tokens(uint32_t count) noexcept {
  return counter.fetch_add(count, std::memory_order_relaxed);
}

uint64_t next_token() noexcept { return counter.load(std::memory_order_relaxed); }

}  // namespace pynvme::verify
