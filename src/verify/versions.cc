#include "verify/versions.h"

#include <algorithm>

#include "base/crc.h"
#include "verify/stamp.h"

namespace pynvme::verify {
namespace {

constexpr size_t kMaxVersions = 256;
constexpr uint32_t kStampBytes = 8;

}  // namespace

std::vector<Version> Versions::of(uint64_t lba) const {
  std::vector<Version> versions;
  const auto writers = integrity_.writers();
  const auto script = integrity_.script_data().log();
  for (const auto& log : integrity_.logs()) {
    for (LoggedChange& change : log->of_lba(lba, kMaxVersions)) {
      if (change.after.empty()) continue;
      Version version;
      version.value = change.after[lba - change.slba];
      const auto writer = std::find_if(writers.begin(), writers.end(),
                                       [&](const auto& one) { return one->id == change.writer; });
      if (log != script && writer != writers.end()) version.writer = *writer;
      version.change = std::move(change);
      versions.push_back(std::move(version));
    }
  }
  std::stable_sort(versions.begin(), versions.end(), [](const Version& a, const Version& b) {
    return a.change.token > b.change.token;
  });
  return versions;
}

std::optional<Version> Versions::with_value(uint64_t lba, uint32_t value) const {
  for (Version& version : of(lba)) {
    if (version.value == value) return std::move(version);
  }
  return std::nullopt;
}

std::optional<Version> Versions::last(uint64_t lba, uint32_t value) const {
  std::vector<Version> all = of(lba);
  for (Version& version : all) {
    if (version.value == value) return std::move(version);
  }
  if (all.empty() || value != LbaTable::kAmbiguous) return std::nullopt;
  return std::move(all.front());
}

Versions::Data Versions::data_of(const Version& version, uint64_t lba) const {
  const uint32_t size = capture_.lba_bytes;
  if (version.value == LbaTable::kZeroed) return Data(size, 0);
  const auto fits = [&](const Data& data) {
    return LbaTable::from_crc(base::crc32c(data.data(), size)) == version.value;
  };
  const LoggedChange& change = version.change;
  if (version.writer != nullptr && version.writer->pattern != nullptr && change.stamped) {
    Data data(size);
    version.writer->pattern(change.cid, static_cast<uint32_t>(lba - change.slba), data.data());
    stamp_lba(data.data(), size, lba, change.token + (lba - change.slba));
    if (fits(data)) return data;
  }
  for (Data& data : integrity_.script_data().versions(lba, size)) {
    if (fits(data)) return std::move(data);
  }
  return {};
}

template <class Each>
void Versions::each_pattern(Each&& each) const {
  const uint32_t size = capture_.lba_bytes;
  Data data(size);
  uint64_t made = 0;
  for (const auto& writer : integrity_.writers()) {
    if (writer->pattern == nullptr) continue;
    for (uint32_t cid = 0; cid < writer->slots; ++cid) {
      for (uint32_t index = 0; index < writer->slot_lbas; ++index) {
        if ((made += size) > kMaxPatternBytes) return;
        writer->pattern(cid, index, data.data());
        if (!each(writer, cid, data)) return;
      }
    }
  }
}

Versions::Data Versions::data(uint64_t lba, uint32_t value, uint64_t token,
                              std::string* how) const {
  const uint32_t size = capture_.lba_bytes;
  if (const auto version = with_value(lba, value)) {
    Data data = data_of(*version, lba);
    if (!data.empty()) {
      *how = version->writer != nullptr ? "the pattern of " + version->writer->name +
                                              ", made again from its seed and stamped"
                                        : "a copy of what the script wrote";
      return data;
    }
  }
  for (Data& data : integrity_.script_data().versions(lba, size)) {
    if (LbaTable::from_crc(base::crc32c(data.data(), size)) != value) continue;
    *how = "a copy of what the script wrote";
    return std::move(data);
  }
  // The write is older than the logs. Its token may be that of the data, or follow from a neighbour
  // that one command wrote with it.
  std::vector<uint64_t> tokens = {token};
  for (size_t i = 0; i < capture_.expected.size(); ++i) {
    const uint64_t other = capture_.slba + i;
    const uint8_t* const bytes = capture_.at(other);
    if (other == lba || stamped_lba(bytes) != other) continue;
    tokens.push_back(stamped_token(bytes, size) + (lba - other));
  }
  std::erase_if(tokens, [&](uint64_t one) { return one == 0 || one >= capture_.next_token; });
  std::sort(tokens.begin(), tokens.end());
  tokens.erase(std::unique(tokens.begin(), tokens.end()), tokens.end());
  Data found;
  each_pattern([&](const auto& writer, uint32_t, Data& data) {
    for (const uint64_t one : tokens) {
      stamp_lba(data.data(), size, lba, one);
      if (LbaTable::from_crc(base::crc32c(data.data(), size)) != value) continue;
      *how = "the pattern of " + writer->name + ", made again from its seed, and the CRC";
      found = data;
      return false;
    }
    return true;
  });
  return found;
}

std::vector<Versions::Data> Versions::older_data(uint64_t lba, uint32_t value,
                                                 const Data& got) const {
  const uint32_t size = capture_.lba_bytes;
  std::vector<Data> all;
  for (const Version& version : of(lba)) {
    if (version.value == value) continue;
    Data data = data_of(version, lba);
    if (!data.empty()) all.push_back(std::move(data));
  }
  for (Data& data : integrity_.script_data().versions(lba, size)) {
    if (LbaTable::from_crc(base::crc32c(data.data(), size)) != value)
      all.push_back(std::move(data));
  }
  const uint64_t token = stamped_token(got.data(), size);
  each_pattern([&](const auto&, uint32_t, Data& data) {
    // A quarter of the LBA that agrees somewhere is no chance.
    const auto* const begin = got.data();
    if (std::equal(begin + size - size / 4, begin + size - kStampBytes,
                   data.data() + size - size / 4) ||
        std::equal(begin + kStampBytes, begin + size / 4, data.data() + kStampBytes)) {
      stamp_lba(data.data(), size, lba, token);
      all.push_back(data);
    }
    return true;
  });
  return all;
}

Versions::Match Versions::best_pattern(const Data& got) const {
  const uint32_t payload = capture_.lba_bytes - 2 * kStampBytes;
  const uint8_t* const begin = got.data() + kStampBytes;
  Match match;
  each_pattern([&](const auto& writer, uint32_t cid, const Data& data) {
    const uint8_t* const pattern = data.data() + kStampBytes;
    const auto head =
        static_cast<uint32_t>(std::mismatch(begin, begin + payload, pattern).first - begin);
    if (head > match.head) {
      match.head = head;
      match.writer = writer;
      match.cid = static_cast<uint16_t>(cid);
    }
    uint32_t tail = 0;
    while (tail < payload && begin[payload - 1 - tail] == pattern[payload - 1 - tail]) ++tail;
    if (tail > match.tail) {
      match.tail = tail;
      match.tail_writer = writer;
      match.tail_cid = static_cast<uint16_t>(cid);
    }
    return match.head < payload;
  });
  return match;
}

}  // namespace pynvme::verify
