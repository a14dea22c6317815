#include "ioworker/sequence.h"

#include <algorithm>
#include <string>

namespace pynvme::ioworker {
namespace {

constexpr uint64_t kSections = 100;
// The default alignment of random IOs: that of the IO itself, but no more than this.
constexpr uint32_t kDefaultAlignBytes = 4096;

int64_t align_up(int64_t value, int64_t align) noexcept {
  if (align == 1) [[likely]]
    return value;
  const int64_t rest = value % align;
  if (rest == 0) return value;
  return rest > 0 ? value + align - rest : value - rest;
}

int64_t align_down(int64_t value, int64_t align) noexcept {
  if (align == 1) [[likely]]
    return value;
  const int64_t rest = value % align;
  if (rest == 0) return value;
  return rest > 0 ? value - rest : value - rest - align;
}

// A trace replaces all that draws commands, so that nothing else of its workload needs to be valid.
const Workload& drawing(const Workload& w) {
  static const Workload kDefault;
  return w.io_sequence.empty() ? w : kDefault;
}

template <class Items, class Ratio>
Deck deck_of(const Items& items, Ratio ratio) {
  std::vector<uint32_t> ratios;
  ratios.reserve(items.size());
  for (const auto& item : items) ratios.push_back(static_cast<uint32_t>(ratio(item)));
  return Deck(ratios);
}

Deck random_or_not(const Workload& w) {
  return Deck({static_cast<uint32_t>(w.lba_random), static_cast<uint32_t>(100 - w.lba_random)});
}

Deck sections(const Workload& w) {
  if (w.distribution.empty()) return Deck({1});
  return deck_of(w.distribution, [](int64_t count) { return count; });
}

}  // namespace

Sequence::Sequence(const Workload& w, const Limits& limits, uint64_t seed)
    : kind_(!w.io_sequence.empty() ? Kind::kTrace
            : is_one_pass(w)       ? Kind::kOnePass
                                   : Kind::kEndless),
      rng_(seed),
      opcode_deck_(deck_of(opcode_mix(drawing(w)), [](const auto& op) { return op.second; })),
      size_deck_(deck_of(drawing(w).io_size, [](const SizeRatio& size) { return size.ratio; })),
      random_deck_(random_or_not(drawing(w))),
      section_deck_(sections(drawing(w))),
      region_start_(static_cast<int64_t>(w.region_start)),
      region_end_(static_cast<int64_t>(std::min(w.region_end, limits.lba_count))),
      step_(w.lba_step.value_or(0)),
      contiguous_(!w.lba_step.has_value()),
      trace_(w.io_sequence) {
  if (kind_ == Kind::kTrace) return;
  for (const auto& [opcode, percent] : opcode_mix(w)) opcodes_.push_back(opcode);
  for (size_t i = 0; i < w.io_size.size(); ++i) {
    int64_t align = 0;
    if (!w.lba_align.empty()) align = w.lba_align[w.lba_align.size() == 1 ? 0 : i];
    sizes_.push_back(make_size(w.io_size[i].nlb, align, limits));
  }
  make_parts(w);
  place_cursor(w);
}

Sequence::Places Sequence::places_between(uint64_t low, uint64_t high, uint32_t nlb,
                                          uint64_t align) const {
  // Starts in [low, high), ends inside the region.
  const uint64_t first = (low + align - 1) / align * align;
  const auto end = static_cast<uint64_t>(region_end_);
  if (end < nlb) return {};
  const uint64_t past = std::min(high, end - nlb + 1);
  if (first >= past) return {};
  return {first, (past - 1 - first) / align + 1};
}

Sequence::Size Sequence::make_size(int64_t nlb, int64_t align, const Limits& limits) const {
  Size size;
  size.nlb = static_cast<uint32_t>(nlb);
  const auto start = static_cast<uint64_t>(region_start_);
  const auto end = static_cast<uint64_t>(region_end_);
  // Unless asked for, sequential IOs follow one another without gaps.
  size.step_align = std::max<int64_t>(align, 1);
  size.align = align > 0 ? static_cast<uint64_t>(align)
                         : std::min<uint64_t>(
                               size.nlb, std::max(kDefaultAlignBytes / limits.lba.data_bytes, 1U));
  size.places = places_between(start, end, size.nlb, size.align);
  if (size.places.count == 0) {
    // The default alignment leaves no room in a small region that is not aligned itself.
    size.align = 1;
    size.places = places_between(start, end, size.nlb, 1);
  }
  size.first = align_up(region_start_, size.step_align);
  size.last = align_down(region_end_ - nlb, size.step_align);
  return size;
}

void Sequence::make_parts(const Workload& w) {
  if (w.distribution.empty()) return;
  const auto start = static_cast<uint64_t>(region_start_);
  const uint64_t lbas = static_cast<uint64_t>(region_end_) - start;
  // Without overflow: lbas is below 2^57 for any namespace of 64-bit bytes.
  const auto boundary = [&](uint64_t section) {
    return start + lbas / kSections * section + lbas % kSections * section / kSections;
  };
  for (uint64_t section = 0; section < kSections; ++section) {
    for (const Size& size : sizes_) {
      const Places places =
          places_between(boundary(section), boundary(section + 1), size.nlb, size.align);
      if (places.count == 0 && w.distribution[section] != 0) {
        throw driver::InvalidArgument(
            "ioworker: no aligned IO of " + std::to_string(size.nlb) + " LBAs starts in part " +
            std::to_string(section) + " of the region (LBA " + std::to_string(boundary(section)) +
            " to " + std::to_string(boundary(section + 1)) + "), where distribution wants " +
            std::to_string(w.distribution[section]));
      }
      parts_.push_back(places);
    }
  }
}

void Sequence::place_cursor(const Workload& w) {
  const auto start = static_cast<int64_t>(std::min<uint64_t>(w.lba_start, INT64_MAX));
  const bool inside = start >= region_start_ && start < region_end_;
  cursor_ = inside ? start : region_start_;
  // One pass downwards begins at the top, unless it is told to begin elsewhere.
  if (kind_ == Kind::kOnePass && step_ < 0 && cursor_ == region_start_) cursor_ = sizes_[0].last;
}

bool Sequence::next_sequential(const Size& size, Draw& draw) noexcept {
  if (pass_over_) return false;
  const bool down = step_ < 0;
  int64_t slba = down ? align_down(cursor_, size.step_align) : align_up(cursor_, size.step_align);
  if (slba < region_start_ || slba > region_end_ - size.nlb) {
    if (kind_ == Kind::kOnePass) return next_truncated(size, slba, draw);
    slba = down ? size.last : size.first;
  }
  draw.slba = static_cast<uint64_t>(slba);
  cursor_ = slba + (contiguous_ ? static_cast<int64_t>(size.nlb) : step_);
  return true;
}

// The last IO of a pass: as much of it as lies in the region.
bool Sequence::next_truncated(const Size& size, int64_t slba, Draw& draw) noexcept {
  pass_over_ = true;
  const int64_t low = std::max(slba, region_start_);
  const int64_t high = std::min(slba + static_cast<int64_t>(size.nlb), region_end_);
  if (low >= high) return false;
  draw.slba = static_cast<uint64_t>(low);
  draw.nlb = static_cast<uint32_t>(high - low);
  return true;
}

bool Sequence::next_traced(Draw& draw) noexcept {
  if (trace_next_ == trace_.size()) return false;
  const TracedCommand& command = trace_[trace_next_++];
  draw = {command.slba, command.nlb, command.opcode, command.time_us};
  return true;
}

}  // namespace pynvme::ioworker
