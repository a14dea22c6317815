// The NVM command set (NVM Command Set 1.0 §3.2): every field checked, then the media moved. Which
// command comes when, and what becomes of its completion, is the engine's business.
#pragma once

#include <atomic>
#include <cstdint>

#include "spec/command.h"
#include "ssd/frontend/prp.h"
#include "ssd/model/timing.h"
#include "ssd/nvm/namespaces.h"
#include "ssd/parts.h"

namespace pynvme::ssd {

// ACWU + 1. Fused pairs have the media for themselves, so any bound would do; this is what drives
// have.
inline constexpr uint32_t kCompareAndWriteLbasMax = 8;

// What a batch of commands did: counted locally, added to the shared counters once.
struct Tally {
  uint64_t read_commands = 0;
  uint64_t write_commands = 0;
  uint64_t read_bytes = 0;
  uint64_t written_bytes = 0;
  uint64_t media_errors = 0;
  uint64_t error_lba = 0;  // of the command that failed last
};

struct Fault;

class Nvm {
 public:
  explicit Nvm(const Parts& parts);

  // All that can be told from the command itself.
  uint16_t check(const spec::Sqe& sqe) const;
  // Of a command with FUSE set whose other half is not there.
  static uint16_t lone_half(const spec::Sqe& sqe);
  // Checks and carries out.
  uint16_t execute(const spec::Sqe& sqe, DataPointer& data, Tally& tally);
  // The same long after the check: the namespace may have another format by now, or another one may
  // have its NSID.
  uint16_t execute_late(const spec::Sqe& sqe, uint32_t epoch, DataPointer& data, Tally& tally);
  uint32_t epoch(const spec::Sqe& sqe) const;
  // A pair that passed for fused; statuses for both. Nothing else works on the media meanwhile.
  void compare_and_write(const spec::Sqe& compare, const spec::Sqe& write, DataPointer& data,
                         Tally& tally, uint16_t* compare_status, uint16_t* write_status);

  // For the latency model.
  struct Cost {
    Work work;
    uint32_t bytes;
    bool durable;
  };
  Cost cost(const spec::Sqe& sqe) const;
  static bool reads_media(uint8_t opcode);

  // Far ahead of execute(), and just ahead.
  void prefetch_map(const spec::Sqe& sqe) const;
  void prefetch_data(const spec::Sqe& sqe) const;

 private:
  uint16_t check_range(const spec::Sqe& sqe, const Namespace& ns) const;
  uint16_t check_transfer(const spec::Sqe& sqe, const Namespace& ns) const;
  static uint16_t check_writable(const Namespace& ns);
  static bool deallocated_is_error(const Namespace& ns);
  bool durable(const spec::Sqe& sqe) const;

  // What passed the check.
  uint16_t carry_out(const spec::Sqe& sqe, DataPointer& data, Tally& tally);
  // faults/nvm_faults.cc: the same while a fault is planted.
  struct FaultyTransfer;
  [[gnu::noinline, gnu::cold]] uint16_t carry_out_faulty(const spec::Sqe& sqe, DataPointer& data,
                                                         Tally& tally);
  Namespace* other_namespace(const Fault& fault, const spec::Sqe& sqe) const;
  uint16_t faulty_read(FaultyTransfer& transfer, DataPointer& data, Tally& tally);
  uint16_t faulty_write(FaultyTransfer& transfer, DataPointer& data, Tally& tally);
  void aim(FaultyTransfer& transfer);
  static void store(FaultyTransfer& transfer);
  void keep_versions(const FaultyTransfer& transfer);
  void spoil_media(const FaultyTransfer& transfer);
  void spoil_data(FaultyTransfer& transfer);

  uint16_t read(const spec::Sqe& sqe, DataPointer& data, Tally& tally);
  [[gnu::noinline, gnu::cold]] MediaError traced_read(Namespace& ns, const spec::Sqe& sqe,
                                                      const DataPointer& data, uint64_t* bad_lba);
  uint16_t write(const spec::Sqe& sqe, DataPointer& data, Tally& tally);
  uint16_t compare(const spec::Sqe& sqe, DataPointer& data, Tally& tally);
  uint16_t verify(const spec::Sqe& sqe, Tally& tally);
  uint16_t write_zeroes(const spec::Sqe& sqe);
  uint16_t write_uncorrectable(const spec::Sqe& sqe);
  uint16_t dataset_management(const spec::Sqe& sqe, DataPointer& data);
  uint16_t flush(const spec::Sqe& sqe);
  uint16_t media_status(MediaError error, uint64_t bad_lba, Tally& tally);

  Parts parts_;
  const HostMemory& memory_;
  const Namespaces& namespaces_;
  const std::atomic<bool>& write_cache_;
  const Maintenance& maintenance_;
  const uint64_t transfer_bytes_max_;
};

}  // namespace pynvme::ssd
