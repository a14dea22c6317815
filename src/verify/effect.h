// What an IO command does to the content of LBAs, read from its SQE: the one place where opcodes
// become effects. Commands of the NVM command set, and those of others that change data.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "spec/command.h"

namespace pynvme::verify {

enum class Effect : uint8_t {
  kNone,
  kRead,           // data to the host: checked
  kObserve,        // looks at the media, no data to check (Compare, Verify)
  kFlush,          // what completed before becomes durable
  kWrite,          // data from the host
  kZero,           // Write Zeroes
  kUncorrectable,  // Write Uncorrectable
  kDeallocate,     // Dataset Management with AD: the LBAs are in the command's data
  kForget,         // changes data in a way that is not followed: nothing is known afterwards
};

// Effects that no other command may be under way beside.
constexpr bool is_change(Effect effect) { return effect >= Effect::kWrite; }

struct Access {
  Effect effect = Effect::kNone;
  uint64_t slba = 0;
  uint32_t nlb = 0;      // a count; 0 where there are no LBAs in the SQE
  bool durable = false;  // FUA: durable when it completes
};

Access classify_io(const spec::Sqe& sqe);

struct LbaRange {
  uint64_t slba;
  uint64_t nlb;
};

// The ranges of a Dataset Management command, as far as its data go; empty ones are left out.
std::vector<LbaRange> dataset_ranges(const spec::Sqe& sqe, const uint8_t* data, size_t bytes);

}  // namespace pynvme::verify
