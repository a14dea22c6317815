#include "verify/forensics.h"

#include <algorithm>
#include <bit>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <utility>

#include "base/crc.h"
#include "verify/stamp.h"
#include "verify/syndrome.h"
#include "verify/versions.h"

namespace pynvme::verify {
namespace {

constexpr uint32_t kStampBytes = 8;
// So many differing bits are flips; more are other data.
constexpr uint32_t kMaxFlips = 64;
constexpr uint32_t kMaxFlippedBytes = 32;
// What has to agree before data are taken for a part of a version.
constexpr uint32_t kEnough = 16;
constexpr size_t kMaxPairs = 8;
constexpr size_t kMaxBadLbas = 512;

using Data = std::vector<uint8_t>;

bool all_same(const Data& data) {
  return std::all_of(data.begin(), data.end(), [&](uint8_t byte) { return byte == data[0]; });
}

uint32_t equal_prefix(const Data& a, const Data& b) {
  return static_cast<uint32_t>(std::mismatch(a.begin(), a.end(), b.begin()).first - a.begin());
}

uint32_t equal_suffix(const Data& a, const Data& b) {
  return static_cast<uint32_t>(std::mismatch(a.rbegin(), a.rend(), b.rbegin()).first - a.rbegin());
}

std::string hex(uint64_t value) {
  char text[24];
  snprintf(text, sizeof(text), "0x%" PRIx64, value);
  return text;
}

std::string write_text(const Origin& origin) {
  std::string text = origin.zeroes ? "the Write Zeroes" : "the write";
  if (origin.token != 0 && !origin.zeroes) text += " with token " + std::to_string(origin.token);
  if (!origin.logged) return text;
  text += " (" + origin.writer;
  if (origin.cid != 0xFFFF) text += ", CID " + std::to_string(origin.cid);
  text += ", LBA " + hex(origin.slba) + ", " + std::to_string(origin.nlb) +
          (origin.nlb == 1 ? " LBA)" : " LBAs)");
  return text;
}

class Examiner {
 public:
  Examiner(const Mismatch& mismatch, const std::vector<KnownNamespace>& known, Integrity& own)
      : mismatch_(mismatch),
        capture_(*mismatch.capture),
        known_(known),
        own_(own),
        versions_(own, capture_) {}

  Finding run() {
    Finding finding = of_lba(capture_.lba);
    finding.bad_lbas = bad_lbas();
    if (!torn_between_lbas(finding)) say_lost(finding);
    finding.text = text_of(finding);
    return finding;
  }

 private:
  struct Lba {
    uint64_t lba;
    uint32_t expected;
    Data got;
    uint32_t crc;
    uint64_t stamp;
    uint64_t token;
  };

  Lba read(uint64_t lba) const {
    const uint8_t* const data = capture_.at(lba);
    Lba one{lba, capture_.expected[lba - capture_.slba], {data, data + capture_.lba_bytes}, 0, 0,
            0};
    one.crc = base::crc32c(data, capture_.lba_bytes);
    one.stamp = stamped_lba(data);
    one.token = stamped_token(data, capture_.lba_bytes);
    return one;
  }

  bool is_token(uint64_t token) const { return token != 0 && token < capture_.next_token; }

  std::vector<uint64_t> bad_lbas() const {
    std::vector<uint64_t> bad;
    for (size_t i = 0; i < capture_.expected.size() && bad.size() < kMaxBadLbas; ++i) {
      const uint64_t lba = capture_.slba + i;
      if (lba == capture_.lba || is_bad(lba)) bad.push_back(lba);
    }
    return bad;
  }
  bool is_bad(uint64_t lba) const {
    const uint32_t expected = capture_.expected[lba - capture_.slba];
    const uint8_t* const data = capture_.at(lba);
    if (expected == LbaTable::kZeroed) {
      return data[0] != 0 || std::memcmp(data, data + 1, capture_.lba_bytes - 1) != 0;
    }
    return LbaTable::is_crc(expected) &&
           (LbaTable::from_crc(base::crc32c(data, capture_.lba_bytes)) != expected ||
            stamped_lba(data) != lba);
  }

  // In the order of certainty: what is known to have been written somewhere, what is close to that,
  // and what the bytes alone suggest.
  Finding of_lba(uint64_t lba) {
    const Lba one = read(lba);
    Finding finding;
    finding.lba = lba;
    finding.got = one.got;
    finding.got_crc = one.crc;
    finding.expected_value = one.expected;
    expect(one, finding);
    if (mismatch_.kind == Mismatch::Kind::kStamp && lba == capture_.lba) {
      finding.damage = Damage::kUnstamped;
      return finding;
    }
    if (mismatch_.kind == Mismatch::Kind::kRefused) {
      finding.damage = Damage::kCompareRefused;
      return finding;
    }
    if (is_older_version(one, finding) || is_zero(one, finding) || is_elsewhere(one, finding) ||
        is_near_the_expected(one, finding) || is_flipped_by_crc(one, finding) ||
        is_part_of_two(one, finding) || is_constant(one, finding) || is_shifted(one, finding) ||
        is_stamped(one, finding)) {
      return finding;
    }
    finding.damage = Damage::kGarbage;
    return finding;
  }

  void expect(const Lba& one, Finding& finding) {
    if (const auto version = versions_.last(one.lba, one.expected)) {
      finding.expected = origin_of(*version, one.lba, nullptr);
    }
    if (one.expected == LbaTable::kZeroed) {
      finding.wanted.assign(capture_.lba_bytes, 0);
      finding.wanted_from = "the LBA was zeroed";
    } else if (LbaTable::is_crc(one.expected)) {
      finding.wanted = versions_.data(one.lba, one.expected, one.token, &finding.wanted_from);
      if (!finding.expected && !finding.wanted.empty()) {
        Origin origin;
        origin.lba = one.lba;
        origin.token = stamped_token(finding.wanted.data(), capture_.lba_bytes);
        finding.expected = origin;
      }
    } else if (one.expected == LbaTable::kAmbiguous) {
      expect_nearest(one, finding);
    }
  }
  // Of the contents that are right, the one that the data are most like.
  void expect_nearest(const Lba& one, Finding& finding) {
    size_t best = 0;
    for (const uint32_t value : capture_.alternatives) {
      std::string how;
      Data data(value == LbaTable::kZeroed ? capture_.lba_bytes : 0);
      if (LbaTable::is_crc(value)) data = versions_.data(one.lba, value, one.token, &how);
      if (data.empty()) continue;
      size_t same = 0;
      for (size_t i = 0; i < data.size(); ++i) same += data[i] == one.got[i] ? 1 : 0;
      if (!finding.wanted.empty() && same <= best) continue;
      best = same;
      finding.wanted = std::move(data);
      finding.wanted_from = "one of the " + std::to_string(capture_.alternatives.size()) +
                            " contents that would be right; " + how;
    }
  }

  Origin origin_of(const Version& version, uint64_t lba, const KnownNamespace* where) const {
    Origin origin;
    origin.lba = lba;
    origin.logged = true;
    const LoggedChange& change = version.change;
    origin.token = change.stamped ? change.token + (lba - change.slba) : 0;
    origin.slba = change.slba;
    origin.nlb = change.nlb;
    origin.cid = change.cid;
    origin.time_ns = change.time_ns;
    origin.zeroes = change.kind == LoggedKind::kZero;
    origin.writer = version.writer != nullptr ? version.writer->name : "the script";
    origin.sqid = version.writer != nullptr ? version.writer->sqid : uint16_t{0};
    name_place(origin, where);
    return origin;
  }
  void name_place(Origin& origin, const KnownNamespace* where) const {
    for (const KnownNamespace& one : known_) {
      if (where == nullptr ? one.integrity.get() == &own_ : &one == where) {
        origin.device = one.device;
        origin.nsid = one.nsid;
        return;
      }
    }
  }

  bool is_zero(const Lba& one, Finding& finding) const {
    if (one.got[0] != 0 || !all_same(one.got)) return false;
    finding.damage = Damage::kZeroes;
    return true;
  }

  bool is_older_version(const Lba& one, Finding& finding) {
    const auto version = versions_.with_value(one.lba, LbaTable::from_crc(one.crc));
    if (!version) return false;
    finding.damage = Damage::kStale;
    finding.found = origin_of(*version, one.lba, nullptr);
    return true;
  }

  // What another LBA or another namespace holds, or held.
  bool is_elsewhere(const Lba& one, Finding& finding) {
    const uint32_t value = LbaTable::from_crc(one.crc);
    if (one.stamp != one.lba && is_at(own_, one.stamp, value, one, nullptr, finding)) {
      finding.damage = Damage::kMisdirected;
      return true;
    }
    for (const KnownNamespace& other : known_) {
      if (other.integrity.get() == &own_ || other.integrity->lba_bytes() != capture_.lba_bytes) {
        continue;
      }
      if (is_at(*other.integrity, one.stamp, value, one, &other, finding)) {
        finding.damage = Damage::kOtherNamespace;
        return true;
      }
    }
    return false;
  }
  bool is_at(Integrity& where, uint64_t lba, uint32_t value, const Lba& one,
             const KnownNamespace* other, Finding& finding) const {
    Versions versions(where, capture_);
    if (const auto version = versions.with_value(lba, value)) {
      finding.found = origin_of(*version, lba, other);
      return true;
    }
    if (where.state(lba) != value) return false;
    Origin origin;
    origin.lba = lba;
    origin.token = one.token;
    name_place(origin, other);
    finding.found = origin;
    return true;
  }

  // A few bits, a part, or a displacement away from what was expected.
  bool is_near_the_expected(const Lba& one, Finding& finding) {
    const Data& wanted = finding.wanted;
    if (wanted.empty()) return false;
    std::vector<Flip> flips;
    uint32_t bits = 0;
    for (uint32_t i = 0; i < wanted.size(); ++i) {
      const auto mask = static_cast<uint8_t>(wanted[i] ^ one.got[i]);
      if (mask == 0) continue;
      bits += static_cast<uint32_t>(std::popcount(mask));
      if (flips.size() <= kMaxFlippedBytes) flips.push_back({i, mask});
    }
    // Another token alone is another write of the same data, not damage of its last bytes.
    const bool token_only = !flips.empty() && flips.front().byte >= wanted.size() - kStampBytes &&
                            bits > 2 && is_token(one.token);
    if (bits <= kMaxFlips && flips.size() <= kMaxFlippedBytes && !token_only) {
      finding.damage = Damage::kBitFlips;
      finding.flips = std::move(flips);
      finding.flipped_bits = bits;
      return true;
    }
    return is_torn(one, finding) || is_displaced(one, finding);
  }

  bool is_torn(const Lba& one, Finding& finding) {
    const Data& wanted = finding.wanted;
    const auto size = static_cast<uint32_t>(wanted.size());
    const uint32_t head = equal_prefix(one.got, wanted);
    const uint32_t tail = equal_suffix(one.got, wanted);
    // The address is the same in all versions.
    const bool head_new = head >= kStampBytes + kEnough;
    const bool tail_new = tail >= kStampBytes + kEnough;
    if (head_new == tail_new) return false;
    for (Data& old : versions_.older_data(one.lba, one.expected, one.got)) {
      const uint32_t old_part = head_new ? equal_suffix(one.got, old) : equal_prefix(one.got, old);
      if (old_part + (head_new ? head : tail) < size) continue;
      const uint32_t last = head_new ? head : old_part;
      const uint32_t first = size - (head_new ? old_part : tail);
      finding.damage = Damage::kTorn;
      finding.boundary_byte = boundary(first, last);
      finding.head_is_new = head_new;
      finding.old = std::move(old);
      if (const auto version = versions_.with_value(
              one.lba, LbaTable::from_crc(base::crc32c(finding.old.data(), finding.old.size())))) {
        finding.found = origin_of(*version, one.lba, nullptr);
      }
      return true;
    }
    // The other part is what was there before anything was written.
    const uint32_t part = head_new ? head : size - tail;
    const auto begin = one.got.begin() + (head_new ? part : 0);
    const auto end = head_new ? one.got.end() : one.got.begin() + part;
    const bool rest_zero = std::all_of(begin, end, [](uint8_t byte) { return byte == 0; });
    const bool old_token = is_token(one.token) && head_new;
    if (!rest_zero && !old_token) return false;
    finding.damage = Damage::kTorn;
    finding.certain = rest_zero;
    finding.boundary_byte = part;
    finding.head_is_new = head_new;
    return true;
  }

  // Both versions agree between first and last: the roundest place is where a device stops.
  static uint32_t boundary(uint32_t first, uint32_t last) {
    for (const uint32_t unit : {2048U, 1024U, 512U, 256U, 128U, 64U, 32U, 16U, 8U, 4U, 2U}) {
      const uint32_t at = (first + unit - 1) / unit * unit;
      if (at <= last && at != 0) return at;
    }
    return last;
  }

  bool is_displaced(const Lba& one, Finding& finding) const {
    const Data& wanted = finding.wanted;
    const auto size = static_cast<uint32_t>(wanted.size());
    const auto* const got = one.got.data();
    for (uint32_t by = 1; by + 64 <= size; ++by) {
      if (std::memcmp(got + by, wanted.data(), size - by) == 0) {
        finding.shift = static_cast<int32_t>(by);
      } else if (std::memcmp(got, wanted.data() + by, size - by) == 0) {
        finding.shift = -static_cast<int32_t>(by);
      } else {
        continue;
      }
      finding.damage = Damage::kShifted;
      return true;
    }
    return false;
  }

  bool is_flipped_by_crc(const Lba& one, Finding& finding) const {
    if (!LbaTable::is_crc(one.expected) || !finding.wanted.empty()) return false;
    // The table's values 5..9 each stand for a CRC of 0..4 as well; too rare to matter here.
    const uint32_t difference = one.expected ^ one.crc;
    const auto flip = [](uint32_t bit) {
      return Flip{bit / 8, static_cast<uint8_t>(1U << bit % 8)};
    };
    if (const int64_t bit = flipped_bit(difference, capture_.lba_bytes); bit >= 0) {
      finding.flips = {flip(static_cast<uint32_t>(bit))};
      finding.flipped_bits = 1;
    } else if (one.stamp == one.lba && is_token(one.token)) {
      const auto pairs = flipped_pairs(difference, capture_.lba_bytes, kMaxPairs);
      if (pairs.size() != 1) return false;
      finding.certain = false;
      finding.flips = {flip(pairs[0].first), flip(pairs[0].second)};
      finding.flipped_bits = 2;
    } else {
      return false;
    }
    finding.damage = Damage::kBitFlips;
    if (finding.certain) {
      finding.wanted = one.got;
      for (const Flip& each : finding.flips) finding.wanted[each.byte] ^= each.mask;
      finding.wanted_from = "the CRC tells the one bit that differs";
    }
    return true;
  }

  // The last write is not remembered, but the patterns of IOWorkers show where one write ends and
  // another one begins, or that all of it is of one.
  bool is_part_of_two(const Lba& one, Finding& finding) const {
    const auto match = versions_.best_pattern(one.got);
    const auto size = static_cast<uint32_t>(one.got.size());
    const uint32_t payload = size - 2 * kStampBytes;
    if (match.head == payload) {
      if (!is_token(one.token) || one.stamp != one.lba) return false;
      finding.damage = Damage::kStale;
      finding.found = pattern_origin(one, match.writer, match.cid);
      return true;
    }
    if (match.head < kEnough || match.tail < kEnough || match.head + match.tail < payload ||
        one.stamp != one.lba) {
      return false;
    }
    finding.damage = Damage::kTorn;
    finding.certain = false;
    finding.boundary_byte = boundary(size - kStampBytes - match.tail, kStampBytes + match.head);
    // The token is of the tail: which of the two is newer, it cannot say.
    finding.found = pattern_origin(one, match.tail_writer, match.tail_cid);
    return true;
  }
  Origin pattern_origin(const Lba& one, const std::shared_ptr<const Writer>& writer,
                        uint16_t cid) const {
    Origin origin;
    origin.lba = one.lba;
    origin.token = one.token;
    if (writer != nullptr) {
      origin.writer = writer->name;
      origin.sqid = writer->sqid;
    }
    origin.cid = cid;
    name_place(origin, nullptr);
    return origin;
  }

  bool is_constant(const Lba& one, Finding& finding) const {
    if (!all_same(one.got)) return false;
    finding.damage = Damage::kConstant;
    return true;
  }

  // The address of the LBA, or its neighbour's, a little further on.
  bool is_shifted(const Lba& one, Finding& finding) const {
    if (one.lba < 0x100 || one.stamp == one.lba) return false;
    const auto size = static_cast<uint32_t>(one.got.size());
    uint32_t at = 0;
    for (uint32_t i = 1; i + kStampBytes <= size; ++i) {
      if (stamped_lba(&one.got[i]) != one.lba) continue;
      if (at != 0) return false;
      at = i;
    }
    if (at == 0) return false;
    finding.damage = Damage::kShifted;
    finding.certain = false;
    finding.shift = static_cast<int32_t>(at);
    return true;
  }

  // Nothing of it is remembered, but it bears a stamp.
  bool is_stamped(const Lba& one, Finding& finding) const {
    if (!is_token(one.token)) return false;
    Origin origin;
    origin.lba = one.stamp;
    origin.token = one.token;
    name_place(origin, nullptr);
    finding.certain = false;
    if (one.stamp != one.lba && one.stamp < own_.tracked_lbas()) {
      finding.damage = Damage::kMisdirected;
    } else if (one.stamp == one.lba && finding.wanted.empty()) {
      finding.damage = Damage::kStale;
    } else {
      return false;
    }
    finding.found = origin;
    return true;
  }

  // One part of a write's LBAs is new, the other part is not.
  bool torn_between_lbas(Finding& finding) {
    if (!finding.expected || !finding.expected->logged || finding.expected->nlb < 2) return false;
    if (finding.damage != Damage::kStale && finding.damage != Damage::kZeroes &&
        finding.damage != Damage::kGarbage && finding.damage != Damage::kConstant) {
      return false;
    }
    const Origin& write = *finding.expected;
    const uint64_t begin = std::max(write.slba, capture_.slba);
    const uint64_t end = std::min(write.slba + write.nlb, capture_.slba + capture_.expected.size());
    std::vector<bool> bad;
    for (uint64_t lba = begin; lba < end; ++lba) {
      // Another write may have changed some of its LBAs since.
      const auto version = versions_.last(lba, capture_.expected[lba - capture_.slba]);
      if (!version || version->change.token != write.token - (finding.lba - write.slba))
        return false;
      bad.push_back(is_bad(lba));
    }
    size_t changes = 0;
    for (size_t i = 1; i < bad.size(); ++i) changes += bad[i] != bad[i - 1] ? 1 : 0;
    if (changes > 1) return false;
    const bool head_is_new = !bad[0];
    const uint64_t second =
        begin + static_cast<uint64_t>(std::find(bad.begin(), bad.end(), head_is_new) - bad.begin());
    // Where the head is old the boundary may lie within the last of its LBAs. (Where it is new that
    // LBA is the first that is wrong, and is called torn already.)
    std::optional<uint32_t> within;
    if (!head_is_new && !is_as_before(second - 1, false)) {
      const Finding last = of_lba(second - 1);
      if (last.damage != Damage::kTorn || last.head_is_new) return false;
      within = last.boundary_byte;
    }
    if (changes == 0 && !within) return false;
    for (uint64_t lba = begin; lba < end; ++lba) {
      if (within && lba == second - 1) continue;
      if (bad[lba - begin] && !is_as_before(lba, head_is_new)) return false;
    }
    finding.damage = Damage::kTorn;
    finding.head_is_new = head_is_new;
    finding.boundary_lba = within ? second - 1 : second;
    finding.boundary_byte = within;
    return true;
  }

  // It holds an older version, or what may have been there before anything was written. That is
  // told from zeroes for another reason by the part that is new: devices write from the start.
  bool is_as_before(uint64_t lba, bool head_is_new) {
    const Lba one = read(lba);
    if (versions_.with_value(lba, LbaTable::from_crc(one.crc))) return true;
    const auto write = versions_.last(lba, one.expected);
    if (!write || !head_is_new) return false;
    const uint32_t before = write->change.before[lba - write->change.slba];
    return before == LbaTable::kUnknown || before == LbaTable::kDeallocated ||
           (before == LbaTable::kZeroed && one.got[0] == 0 && all_same(one.got));
  }

  void say_lost(Finding& finding) const {
    const uint64_t power_loss = own_.power_loss_token();
    if (power_loss == 0) return;
    if (finding.damage != Damage::kStale && finding.damage != Damage::kZeroes) return;
    const bool before = finding.expected && finding.expected->token != 0
                            ? finding.expected->token < power_loss
                            : mismatch_.kind == Mismatch::Kind::kNeither;
    if (before) finding.damage = Damage::kLost;
  }

  std::string text_of(const Finding& finding) const {
    std::string text = "LBA " + hex(finding.lba) + ": ";
    if (!finding.certain) text += "probably ";
    const std::string found = finding.found ? write_text(*finding.found) : "";
    const std::string expected =
        finding.expected ? write_text(*finding.expected) : "the last write";
    switch (finding.damage) {
      case Damage::kGarbage:
        text += "garbage: nothing that was written by this process";
        break;
      case Damage::kStale:
        text += "stale: the data of " + found + " instead of " + expected;
        break;
      case Damage::kLost:
        text += "lost in a power cycle: " + expected + " was durable, but the LBA holds " +
                (finding.found ? "the data of " + found : std::string("zeroes"));
        break;
      case Damage::kMisdirected:
        text += "misdirected: the data of LBA " + hex(finding.found->lba) + ", " + found;
        break;
      case Damage::kOtherNamespace:
        text += "the data of namespace " + std::to_string(finding.found->nsid) + " of " +
                finding.found->device + ", LBA " + hex(finding.found->lba) + ", " + found;
        break;
      case Damage::kTorn:
        text += torn_text(finding) + "; the new data are those of " + expected;
        if (finding.found) text += ", the old ones those of " + found;
        break;
      case Damage::kBitFlips:
        text += std::to_string(finding.flipped_bits) +
                (finding.flipped_bits == 1 ? " bit flipped: " : " bits flipped: ") +
                flips_text(finding) + ", of " + expected;
        break;
      case Damage::kZeroes:
        text += "zeroes instead of the data of " + expected;
        break;
      case Damage::kConstant:
        text += "the byte " + hex(finding.got[0]) + " repeated, instead of the data of " + expected;
        break;
      case Damage::kShifted:
        text += "shifted: the data of " + expected + " lie " +
                std::to_string(std::abs(finding.shift)) + " bytes too far " +
                (finding.shift > 0 ? "back" : "in front");
        break;
      case Damage::kCompareRefused:
        text +=
            "Compare of the data written last was refused: the drive holds something else in one "
            "of its " +
            std::to_string(capture_.command_nlb) + " LBAs";
        break;
      case Damage::kUnstamped:
        text += "unstamped: as written last, but by a raw write that is not stamped with its LBA";
        break;
    }
    return text;
  }
  static std::string torn_text(const Finding& finding) {
    const std::string parts =
        finding.head_is_new ? "new before, old from there on" : "old before, new from there on";
    if (finding.boundary_lba && finding.boundary_byte) {
      return "torn at byte " + std::to_string(*finding.boundary_byte) + " of LBA " +
             hex(*finding.boundary_lba) + ": " + parts;
    }
    if (finding.boundary_lba) return "torn at LBA " + hex(*finding.boundary_lba) + ": " + parts;
    return "torn at byte " + std::to_string(*finding.boundary_byte) + " of the LBA: " + parts;
  }
  static std::string flips_text(const Finding& finding) {
    std::string text;
    for (size_t i = 0; i < finding.flips.size() && i < 4; ++i) {
      const Flip& flip = finding.flips[i];
      for (uint32_t bit = 0; bit < 8; ++bit) {
        if ((flip.mask >> bit & 1) == 0) continue;
        text += (text.empty() ? "byte " : ", byte ") + std::to_string(flip.byte) + " bit " +
                std::to_string(bit);
      }
    }
    if (finding.flips.size() > 4) text += ", ...";
    return text;
  }

  const Mismatch& mismatch_;
  const Capture& capture_;
  const std::vector<KnownNamespace>& known_;
  Integrity& own_;
  Versions versions_;
};

}  // namespace

const char* damage_name(Damage damage) {
  switch (damage) {
    case Damage::kGarbage:
      return "garbage";
    case Damage::kStale:
      return "stale";
    case Damage::kLost:
      return "lost";
    case Damage::kMisdirected:
      return "misdirected";
    case Damage::kOtherNamespace:
      return "other_namespace";
    case Damage::kTorn:
      return "torn";
    case Damage::kBitFlips:
      return "bit_flips";
    case Damage::kZeroes:
      return "zeroes";
    case Damage::kConstant:
      return "constant";
    case Damage::kShifted:
      return "shifted";
    case Damage::kCompareRefused:
      return "compare_refused";
    case Damage::kUnstamped:
      return "unstamped";
  }
  return "";
}

Finding examine(const Mismatch& mismatch, const std::vector<KnownNamespace>& known,
                Integrity& own) {
  return Examiner(mismatch, known, own).run();
}

}  // namespace pynvme::verify
