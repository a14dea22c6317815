// What a planted fault is: which commands it matches, how often it fires, what it does then, and
// the record of what it did. Texts become this in fault_text.h; who carries it out is for the
// *_faults.cc of each part of the SSD.
#pragma once

#include <bitset>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "spec/command.h"

namespace pynvme::ssd {

// When faults are looked at. An action belongs to one of these.
enum class FaultPoint : uint8_t {
  kExecute,   // the command has passed its checks and is about to be carried out
  kComplete,  // its completion queue entry is about to be posted
};

enum class FaultAction : uint8_t {
  kFlip,
  kZeroes,
  kDrop,
  kMisdirect,
  kOtherNamespace,
  kTear,
  kStale,
  kDma,
  kDelay,
  kSwallow,
  kDuplicate,
  kMistag,
  kStatus,
  kPhase,
  kStaleCompletion,
  kFatal,
  kVanish,
  kFailSanitize,
};

// Where data are changed: of the actions that have the key `where`.
enum class FaultWhere : uint8_t { kRead, kWrite, kMedia };

// A command that looks for its faults.
struct FaultSubject {
  FaultSubject(const spec::Sqe& command, uint16_t sq);

  const spec::Sqe& sqe;
  uint16_t sqid;
  bool has_lbas;  // slba and nlb are something
  uint64_t slba = 0;
  uint32_t nlb = 0;
  uint32_t lba_bytes = 0;  // of the namespace; 0 where nobody needs it
};

struct FaultMatch {
  std::bitset<256> io;           // opcodes on I/O queues
  std::bitset<256> admin;        // opcodes on the admin queue
  std::vector<uint16_t> queues;  // empty: any
  std::optional<uint32_t> nsid;
  std::optional<uint16_t> cid;
  bool has_lbas = false;  // the two below were given
  uint64_t lba_begin = 0;
  uint64_t lba_end = UINT64_MAX;
  uint64_t after = 0;  // matching commands that pass first
  uint64_t count = 0;  // how often it fires; 0: always
  double chance = 1;   // of each matching command
  uint64_t seed = 0;

  bool fits(const FaultSubject& subject) const;
  // The LBAs of the command that the match names: all of them, unless it names LBAs.
  struct Lbas {
    uint64_t begin;
    uint64_t end;
  };
  Lbas common(const FaultSubject& subject) const;
};

// "+8" is relative, "8" is not.
struct FaultNumber {
  int64_t value = 0;
  bool relative = false;

  // base + value, or value.
  uint64_t from(uint64_t base) const {
    return (relative ? base : 0) + static_cast<uint64_t>(value);
  }
};

struct Fault {
  FaultAction action = FaultAction::kFlip;
  FaultPoint point = FaultPoint::kExecute;
  FaultMatch match;
  FaultWhere where = FaultWhere::kRead;
  std::map<std::string, FaultNumber, std::less<>> numbers;  // the action's other keys, as given
  std::string match_text;
  std::string action_text;

  std::optional<FaultNumber> number(std::string_view key) const;
  uint64_t value_or(std::string_view key, uint64_t otherwise) const;
};

// Status Field of the action `status`, and its text.
uint16_t fault_status(const Fault& fault);
std::string fault_status_text(uint16_t status);

// One time that it fired.
struct FaultFiring {
  uint64_t time_ns = 0;
  uint64_t match = 0;  // the how many-th matching command it was, from 1
  uint16_t qid = 0;
  uint16_t cid = 0;
  uint8_t opcode = 0;
  uint32_t nsid = 0;
  uint64_t slba = 0;
  uint32_t nlb = 0;             // 0: a command without LBAs
  std::optional<uint64_t> lba;  // the first LBA that is wrong now
  // Of a misdirected one: the first LBA, and the namespace, that were taken instead.
  std::optional<uint64_t> to_lba;
  std::optional<uint32_t> to_nsid;
  std::string text;  // what was done
};

struct FaultState {
  uint64_t id = 0;
  std::string match;
  std::string action;
  uint64_t seed = 0;
  bool armed = false;  // it may fire again
  uint64_t matched = 0;
  uint64_t fired = 0;
  std::vector<FaultFiring> firings;  // the last kFiringsKept
};

inline constexpr size_t kFiringsKept = 1000;

}  // namespace pynvme::ssd
