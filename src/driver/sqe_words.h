// An SQE as eight 64-bit words, for the hot path. An Sqe that is filled in field by field and then
// copied as a whole goes through memory in stores narrower than the loads that follow: three
// store-forwarding stalls per command, a third of the loop's time (measured). Words are put
// together in registers.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <tuple>
#include <utility>

#include "spec/command.h"

namespace pynvme::driver {

using SqeWords = std::array<uint64_t, sizeof(spec::Sqe) / sizeof(uint64_t)>;

// The entry with `cid` in the place of its own.
inline SqeWords to_words(const spec::Sqe& sqe, uint16_t cid) noexcept {
  const auto pair = [](uint32_t low, uint32_t high) { return low | uint64_t{high} << 32; };
  const uint32_t cdw0 = sqe.opcode | uint32_t{sqe.flags} << 8 | uint32_t{cid} << 16;
  return {pair(cdw0, sqe.nsid),
          pair(sqe.cdw2, sqe.cdw3),
          sqe.mptr,
          sqe.prp1,
          sqe.prp2,
          pair(sqe.cdw10, sqe.cdw11),
          pair(sqe.cdw12, sqe.cdw13),
          pair(sqe.cdw14, sqe.cdw15)};
}

// Calls store(index, word) for each, unrolled by force: an array that a loop walks lives in memory.
template <class Store>
inline void for_each_word(const SqeWords& words, Store&& store) noexcept {
  [&]<size_t... i>(std::index_sequence<i...>) { (store(i, words[i]), ...); }
  (std::make_index_sequence<std::tuple_size_v<SqeWords>>{});
}

}  // namespace pynvme::driver
