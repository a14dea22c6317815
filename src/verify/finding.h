// What a miscompare turned out to be.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace pynvme::verify {

enum class Damage : uint8_t {
  kGarbage,         // nothing that this process wrote
  kStale,           // an older write of the LBA
  kLost,            // the same after a loss of power, although the newer write was durable
  kMisdirected,     // the data of another LBA
  kOtherNamespace,  // the data of another namespace
  kTorn,            // the old data in part, the new in part
  kBitFlips,
  kZeroes,
  kConstant,        // one byte repeated, such as FFh
  kShifted,         // the right data at the wrong place in the LBA
  kCompareRefused,  // by Compare: the drive holds something else, whatever it is
  kUnstamped,       // as written last, but by a raw write without stamps
};

// "bit_flips" and the like: what the artefact and Python call it.
const char* damage_name(Damage damage);

// A write, as far as it is remembered.
struct Origin {
  uint64_t lba = 0;
  uint64_t token = 0;  // 0: unstamped, or not known
  std::string device;
  uint32_t nsid = 1;
  // From here on only when `logged`.
  bool logged = false;
  std::string writer;
  uint16_t sqid = 0;      // 0: of the script; the command log knows
  uint16_t cid = 0xFFFF;  // FFFFh: not known
  uint64_t slba = 0;
  uint32_t nlb = 0;
  uint64_t time_ns = 0;
  bool zeroes = false;  // Write Zeroes
};

struct Flip {
  uint32_t byte;
  uint8_t mask;
};

struct Finding {
  Damage damage = Damage::kGarbage;
  bool certain = true;
  uint64_t lba = 0;
  std::string text;                // one sentence
  std::optional<Origin> found;     // whose data they are
  std::optional<Origin> expected;  // the write that should have been there
  std::vector<Flip> flips;         // kBitFlips, the first of them
  uint32_t flipped_bits = 0;
  // kTorn: byte of the LBA, or (boundary_lba) the first LBA of the second part; or both: the byte
  // of boundary_lba.
  std::optional<uint32_t> boundary_byte;
  std::optional<uint64_t> boundary_lba;
  bool head_is_new = false;
  int32_t shift = 0;               // kShifted: bytes towards the end
  std::vector<uint64_t> bad_lbas;  // of the read
  std::vector<uint8_t> got;
  std::vector<uint8_t> wanted;  // empty: cannot be made again
  std::string wanted_from;      // how it was made
  std::vector<uint8_t> old;     // kTorn: the older version, when it is known
  uint32_t got_crc = 0;
  uint32_t expected_value = 0;  // an LbaTable value
};

}  // namespace pynvme::verify
