// Draws small numbers in given ratios, exactly: a deck of cards is dealt in random order, and every
// time it runs out each number was dealt as often as it is in the deck.
#pragma once

#include <cstddef>
#include <cstdint>
#include <numeric>
#include <utility>
#include <vector>

#include "base/rng.h"

namespace pynvme::ioworker {

class Deck {
 public:
  // Number i is dealt ratios[i] times in a cycle; the ratios are reduced to the shortest one. At
  // least one ratio is not 0.
  explicit Deck(const std::vector<uint32_t>& ratios) {
    uint32_t divisor = 0;
    for (const uint32_t ratio : ratios) divisor = std::gcd(divisor, ratio);
    for (size_t i = 0; i < ratios.size(); ++i) {
      // NOLINTNEXTLINE(clang-analyzer-core.DivideZero): a ratio is not 0, so neither is this
      cards_.insert(cards_.end(), ratios[i] / divisor, static_cast<uint16_t>(i));
    }
    size_ = cards_.size();
    only_ = cards_.front();
  }

  size_t cycle() const { return size_; }

  // One step of a Fisher-Yates shuffle: any order of the deck is a good one to shuffle from, so
  // there is nothing to do between cycles. A deck of one card takes no random number.
  uint16_t draw(base::Rng& rng) noexcept {
    if (size_ == 1) return only_;
    const size_t left = size_ - next_;
    uint16_t* top = cards_.data() + next_;
    if (left > 1) std::swap(*top, top[rng.below(left)]);
    const uint16_t card = *top;
    next_ = left == 1 ? 0 : next_ + 1;
    return card;
  }

 private:
  std::vector<uint16_t> cards_;
  size_t size_ = 0;
  size_t next_ = 0;
  uint16_t only_ = 0;
};

}  // namespace pynvme::ioworker
