// The sequence of commands of one IOWorker: a pure function of the workload, the namespace's size
// and the seed. When commands are sent, and what becomes of them, has no influence on it.
//
// Each draw takes, in this order: the opcode; the size; random or sequential; the part of the
// region (distribution); the address. Flush has neither size nor address and takes only the opcode.
// Opcodes, sizes, random or not, and parts come from decks: their ratios are exact in every cycle.
#pragma once

#include <cstdint>
#include <vector>

#include "base/rng.h"
#include "ioworker/deck.h"
#include "ioworker/workload.h"

namespace pynvme::ioworker {

struct Draw {
  uint64_t slba = 0;
  uint32_t nlb = 0;  // a count; 0 for commands without LBAs
  uint8_t opcode = 0;
  uint64_t due_us = 0;  // after the start; io_sequence only
};

class Sequence {
 public:
  // The workload is valid for the limits.
  Sequence(const Workload& workload, const Limits& limits, uint64_t seed);

  // False at the end of one pass or of a trace; every other sequence goes on for ever.
  bool next(Draw& draw) noexcept {
    if (kind_ == Kind::kTrace) [[unlikely]]
      return next_traced(draw);
    draw.opcode = opcodes_[opcode_deck_.draw(rng_)];
    if (draw.opcode == kFlush) [[unlikely]] {
      draw.slba = 0;
      draw.nlb = 0;
      return true;
    }
    const uint32_t index = size_deck_.draw(rng_);
    const Size& size = sizes_[index];
    draw.nlb = size.nlb;
    if (random_deck_.draw(rng_) == kSequentialCard) return next_sequential(size, draw);
    const Places& places =
        parts_.empty() ? size.places : parts_[section_deck_.draw(rng_) * sizes_.size() + index];
    draw.slba = places.first + rng_.below(places.count) * size.align;
    return true;
  }

 private:
  enum class Kind : uint8_t { kEndless, kOnePass, kTrace };

  static constexpr uint8_t kFlush = 0x00;
  static constexpr uint16_t kRandomCard = 0;
  static constexpr uint16_t kSequentialCard = 1;

  // The addresses an IO may start at: first, first + align, ...
  struct Places {
    uint64_t first = 0;
    uint64_t count = 0;
  };

  struct Size {
    uint32_t nlb = 0;
    uint64_t align = 1;      // of random IOs
    Places places;           // of random IOs
    int64_t step_align = 1;  // of sequential IOs
    int64_t first = 0;       // lowest and highest address of sequential IOs
    int64_t last = 0;
  };

  Size make_size(int64_t nlb, int64_t align, const Limits& limits) const;
  Places places_between(uint64_t low, uint64_t high, uint32_t nlb, uint64_t align) const;
  void make_parts(const Workload& workload);
  void place_cursor(const Workload& workload);
  bool next_sequential(const Size& size, Draw& draw) noexcept;
  bool next_truncated(const Size& size, int64_t slba, Draw& draw) noexcept;
  bool next_traced(Draw& draw) noexcept;

  Kind kind_;
  base::Rng rng_;
  Deck opcode_deck_;
  Deck size_deck_;
  Deck random_deck_;
  Deck section_deck_;
  std::vector<uint8_t> opcodes_;
  std::vector<Size> sizes_;
  std::vector<Places> parts_;  // [part of the region][size]; empty: no distribution
  // Sequential IO. Signed: a negative step may lead below LBA 0.
  int64_t cursor_ = 0;
  int64_t region_start_ = 0;
  int64_t region_end_ = 0;
  int64_t step_ = 0;  // 0 and contiguous_: behind the last IO
  bool contiguous_ = false;
  bool pass_over_ = false;
  std::vector<TracedCommand> trace_;
  size_t trace_next_ = 0;
};

}  // namespace pynvme::ioworker
