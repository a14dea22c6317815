// The namespaces: which exist, which of them are attached to the controller, what each has of the
// drive's capacity, and their media. With a file behind the drive all of that outlives the process.
// Created, removed, attached, detached and formatted while no I/O command is worked on. Which
// commands may do that to which namespace is for the admin commands to check.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "spec/command.h"
#include "ssd/config.h"
#include "ssd/media/drive_file.h"
#include "ssd/media/media.h"
#include "ssd/status_word.h"

namespace pynvme::ssd {

struct Namespace {
  Namespace(uint32_t nsid, uint64_t creation, const Media::Geometry& geometry,
            const Config& config);

  // After a format; no I/O command is worked on meanwhile.
  void refresh();
  // What it takes of the capacity.
  uint64_t capacity_bytes() const;

  const uint32_t nsid;
  const uint64_t creation;  // how many the drive had before; 0 for those from the factory
  const uint64_t bytes;     // NSZE as it was created, in bytes
  const uint32_t created_lba_bytes;
  Media media;
  bool shared = false;  // NMIC bit 0
  // Copies of the media's, kept here because every command needs them.
  uint32_t lba_shift = 0;
  uint32_t lba_bytes = 0;
  uint64_t lba_count = 0;
  // What features say (Error Recovery's DULBE, Namespace Write Protection).
  std::atomic<bool> deallocated_is_error{false};
  std::atomic<bool> write_protected{false};
  // Changes when commands that were checked before have to be checked again: a format.
  uint32_t epoch = 0;
  std::array<uint8_t, 16> nguid{};
  std::array<uint8_t, 8> eui64{};
};

class Namespaces {
 public:
  // Throws std::runtime_error when the drive's file cannot be used.
  explicit Namespaces(const Config& config);

  uint32_t limit() const { return static_cast<uint32_t>(slots_.size()); }  // NN
  bool valid(uint32_t nsid) const { return nsid - 1 < limit(); }
  // Null for what is not attached.
  Namespace* find(uint32_t nsid) const { return valid(nsid) ? active_[nsid - 1] : nullptr; }
  // Null for what does not exist.
  Namespace* find_allocated(uint32_t nsid) const {
    return valid(nsid) ? slots_[nsid - 1].get() : nullptr;
  }
  // What a command gets whose NSID names no namespace that is active, or allocated (NVMe Base 2.0
  // §3.2.1). Nor is all namespaces at once an invalid identifier, but a wrong value of the field
  // where it is not supported (figure 87).
  uint16_t refusal(uint32_t nsid) const {
    return valid(nsid) || nsid == spec::kNsidBroadcast ? kInvalidField
                                                       : fail(spec::sc::kInvalidNamespaceOrFormat);
  }
  // All that exist, attached or not, by NSID.
  const std::vector<Namespace*>& all() const { return all_; }
  bool attached(const Namespace& ns) const { return active_[ns.nsid - 1] == &ns; }

  uint64_t capacity_bytes() const { return config_.capacity_bytes; }
  uint64_t unallocated_bytes() const;
  static uint64_t capacity_of(uint64_t bytes);  // what a namespace takes of it

  // Null when all NSIDs are taken. Throws std::runtime_error when memory or disk are full.
  Namespace* create(uint64_t bytes, uint32_t lba_bytes, bool shared);
  void remove(uint32_t nsid);
  void set_attached(Namespace& ns, bool attached);

  void flush();
  void power_lost();
  uint64_t unflushed_bytes() const;
  // Bytes that outlive the process, empty without a file; not the media's.
  std::span<uint8_t> persistent_area() const { return drive_.persistent_area(); }

 private:
  // An entry of the layout.
  struct Entry {
    bool exists;
    bool attached;
    bool shared;
    uint64_t creation;
    uint64_t bytes;
    uint32_t lba_bytes;

    static Entry unpack(uint64_t packed);
    uint64_t pack() const;
  };

  void open_factory();
  void open_layout();
  Namespace& open(uint32_t nsid, const Entry& entry);
  void list();
  void remove_media(uint32_t nsid);  // of a namespace that is gone
  // Writes down what is there; the layout becomes one that is not the factory's.
  void store(uint32_t nsid);

  const Config& config_;
  DriveFile drive_;
  std::vector<std::unique_ptr<Namespace>> slots_;
  std::vector<Namespace*> active_;
  std::vector<Namespace*> all_;
};

}  // namespace pynvme::ssd
