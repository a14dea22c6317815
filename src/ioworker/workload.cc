#include "ioworker/workload.h"

#include <algorithm>
#include <numeric>
#include <string>

#include "spec/opcode.h"

namespace pynvme::ioworker {
namespace {

constexpr int64_t kMaxNlb = 65536;  // NLB is a 0-based 16-bit field
constexpr double kMaxTimeS = 1000.0 * 3600;
constexpr int64_t kMaxRatioSum = 1 << 20;  // a cycle of sizes is kept as a table
constexpr int64_t kMaxIops = 1'000'000'000;
constexpr size_t kSections = 100;
constexpr int64_t kSectionSum = 10000;

[[noreturn]] void refuse(const std::string& text) {
  throw driver::InvalidArgument("ioworker: " + text);
}

void require(int64_t value, int64_t low, int64_t high, const std::string& name) {
  if (value >= low && value <= high) return;
  refuse(name + " is " + std::to_string(value) + ", must be " + std::to_string(low) + ".." +
         std::to_string(high));
}

void check_sizes(const Workload& w, uint64_t region_lbas) {
  if (w.io_size.empty()) refuse("io_size names no size");
  int64_t sum = 0;
  for (const SizeRatio& size : w.io_size) {
    require(size.nlb, 1, kMaxNlb, "io_size");
    require(size.ratio, 1, kMaxRatioSum, "the ratio of io_size " + std::to_string(size.nlb));
    sum += size.ratio;
    if (static_cast<uint64_t>(size.nlb) > region_lbas) {
      refuse("io_size " + std::to_string(size.nlb) + " is larger than the region, which has " +
             std::to_string(region_lbas) + " LBAs");
    }
  }
  require(sum, 1, kMaxRatioSum, "the sum of the io_size ratios");
}

void check_alignment(const Workload& w, uint64_t start, uint64_t end) {
  if (w.lba_align.size() > 1 && w.lba_align.size() != w.io_size.size()) {
    refuse("lba_align has " + std::to_string(w.lba_align.size()) + " values for " +
           std::to_string(w.io_size.size()) + " sizes, must have 1 or one for each size");
  }
  for (size_t i = 0; i < w.io_size.size() && !w.lba_align.empty(); ++i) {
    const int64_t align = w.lba_align.size() == 1 ? w.lba_align[0] : w.lba_align[i];
    require(align, 1, INT64_C(1) << 40, "lba_align");
    const auto step = static_cast<uint64_t>(align);
    const uint64_t first = (start + step - 1) / step * step;
    if (first >= end || end - first < static_cast<uint64_t>(w.io_size[i].nlb)) {
      refuse("no IO of " + std::to_string(w.io_size[i].nlb) + " LBAs aligned to " +
             std::to_string(align) + " fits between region_start " + std::to_string(start) +
             " and region_end " + std::to_string(end));
    }
  }
}

void check_mix(const Workload& w) {
  require(w.read_percentage, 0, 100, "read_percentage");
  require(w.lba_random, 0, 100, "lba_random (per cent)");
  if (w.op_percentage.empty()) return;
  int64_t sum = 0;
  for (size_t i = 0; i < w.op_percentage.size(); ++i) {
    const auto& [opcode, percent] = w.op_percentage[i];
    require(percent, 0, 100, "op_percentage of opcode " + std::to_string(opcode));
    sum += percent;
    for (size_t j = 0; j < i; ++j) {
      if (w.op_percentage[j].first == opcode) {
        refuse("op_percentage names opcode " + std::to_string(opcode) + " twice");
      }
    }
  }
  require(sum, 100, 100, "the sum of op_percentage");
}

void check_distribution(const Workload& w, uint64_t region_lbas) {
  if (w.distribution.empty()) return;
  if (w.distribution.size() != kSections) {
    refuse("distribution has " + std::to_string(w.distribution.size()) + " values, must have 100");
  }
  if (w.lba_random == 0) refuse("distribution is for random IO, but lba_random is 0");
  int64_t sum = 0;
  for (const int64_t count : w.distribution) {
    require(count, 0, kSectionSum, "a value of distribution");
    sum += count;
  }
  require(sum, kSectionSum, kSectionSum, "the sum of distribution");
  if (region_lbas < kSections) {
    refuse("distribution divides the region into 100 parts, but it has only " +
           std::to_string(region_lbas) + " LBAs");
  }
}

void check_pattern(const Workload& w) {
  switch (w.ptype) {
    case kPatternConstant:
      if (w.pvalue > 1)
        refuse("pvalue is " + std::to_string(w.pvalue) + ", must be 0..1 with ptype 0");
      return;
    case kPatternDword:
      if (w.pvalue > UINT32_MAX) {
        refuse("pvalue is " + std::to_string(w.pvalue) + ", must be 0..4294967295 with ptype 32");
      }
      return;
    case kPatternRandom:
      if (w.pvalue > 100) {
        refuse("pvalue is " + std::to_string(w.pvalue) + ", must be 0..100 with ptype 0xbeef");
      }
      return;
    default:
      refuse("ptype is " + std::to_string(w.ptype) + ", must be 0, 32 or 0xbeef");
  }
}

void check_length(const Workload& w) {
  if (!(w.time_s >= 0 && w.time_s <= kMaxTimeS)) {
    refuse("time is " + std::to_string(w.time_s) + " s, must be 0..3600000 (1000 hours)");
  }
  require(w.io_count, 0, INT64_MAX, "io_count");
  require(w.iops, 0, kMaxIops, "iops");
}

void check_trace(const Workload& w) {
  uint64_t last_us = 0;
  for (size_t i = 0; i < w.io_sequence.size(); ++i) {
    const TracedCommand& command = w.io_sequence[i];
    const std::string name = "io_sequence[" + std::to_string(i) + "]";
    require(command.nlb, command.opcode == spec::io::kFlush ? 0 : 1, kMaxNlb,
            "the LBA count of " + name);
    if (command.time_us < last_us) {
      refuse("the time of " + name + " is " + std::to_string(command.time_us) +
             " us, earlier than the one before it");
    }
    last_us = command.time_us;
  }
}

void check_transfer(uint8_t opcode, uint32_t nlb, const Limits& limits) {
  const uint64_t bytes = transfer_bytes(opcode, nlb, limits.lba);
  if (limits.mdts_bytes == 0 || bytes <= limits.mdts_bytes) return;
  throw IoSizeError("ioworker: io_size " + std::to_string(nlb) + " is " + std::to_string(bytes) +
                    " bytes, larger than MDTS, which is " + std::to_string(limits.mdts_bytes) +
                    " bytes (" + std::to_string(limits.mdts_bytes * nlb / bytes) + " LBAs)");
}

}  // namespace

void require_end(const Workload& w) {
  if (w.time_s != 0 || w.io_count != 0 || !w.io_sequence.empty()) return;
  if (!is_one_pass(w)) {
    refuse(
        "neither time nor io_count is given; only sequential IO of one size ends by itself, after "
        "one pass over the region");
  }
  if (w.lba_step.value_or(1) == 0) refuse("lba_step is 0: give time or io_count, or it never ends");
}

void validate(const Workload& w, const Limits& limits) {
  // An IOWorker keeps a slot and a buffer for each command under way; the specification's two
  // entries of a queue at least are one command.
  require(w.qdepth, 1, limits.max_queue_entries, "qdepth");
  require(w.qprio, 0, 3, "qprio");
  check_pattern(w);
  check_length(w);
  if (!w.io_sequence.empty()) {
    check_trace(w);
    for (const TracedCommand& command : w.io_sequence) {
      check_transfer(command.opcode, command.nlb, limits);
    }
    return;
  }
  check_mix(w);
  const uint64_t end = std::min(w.region_end, limits.lba_count);
  if (w.region_start >= limits.lba_count) {
    refuse("region_start is " + std::to_string(w.region_start) + ", but the namespace has only " +
           std::to_string(limits.lba_count) + " LBAs");
  }
  if (w.region_start >= end) {
    refuse("region_start is " + std::to_string(w.region_start) + ", must be below region_end " +
           std::to_string(end));
  }
  check_sizes(w, end - w.region_start);
  check_alignment(w, w.region_start, end);
  check_distribution(w, end - w.region_start);
  for (const auto& [opcode, percent] : opcode_mix(w)) {
    for (const SizeRatio& size : w.io_size) {
      check_transfer(opcode, static_cast<uint32_t>(size.nlb), limits);
    }
  }
}

bool is_one_pass(const Workload& w) {
  return w.io_sequence.empty() && w.time_s == 0 && w.io_count == 0 && w.lba_random == 0 &&
         w.io_size.size() == 1;
}

std::vector<std::pair<uint8_t, uint32_t>> opcode_mix(const Workload& w) {
  std::vector<std::pair<uint8_t, uint32_t>> mix;
  const auto add = [&](uint8_t opcode, int64_t percent) {
    if (percent > 0) mix.emplace_back(opcode, static_cast<uint32_t>(percent));
  };
  if (w.op_percentage.empty()) {
    add(spec::io::kRead, w.read_percentage);
    add(spec::io::kWrite, 100 - w.read_percentage);
  } else {
    for (const auto& [opcode, percent] : w.op_percentage) add(opcode, percent);
  }
  return mix;
}

uint32_t queue_entries(const Workload& w, const Limits& limits) {
  return std::min(static_cast<uint32_t>(w.qdepth) + 1, limits.max_queue_entries);
}

uint64_t transfer_bytes(uint8_t opcode, uint32_t nlb, const driver::LbaLayout& lba) {
  if (opcode == spec::io::kDatasetManagement) return 16;  // one range
  return spec::data_direction(opcode) == spec::DataDirection::kNone
             ? 0
             : static_cast<uint64_t>(nlb) * lba.stride(lba.takes_pract(opcode));
}

}  // namespace pynvme::ioworker
