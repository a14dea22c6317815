// The values in a row, with a header that says whether they are whole.
#include "ssd/admin/feature_store.h"

#include <algorithm>
#include <cstring>
#include <type_traits>
#include <vector>

#include "base/crc.h"

namespace pynvme::ssd {
namespace {

constexpr uint64_t kMagic = 0x3130'5441'4546'5950;  // "PYFEAT01"

struct Header {
  uint64_t magic;
  uint64_t sequence;  // the larger one is the newer one
  uint32_t bytes;
  uint32_t crc;
};

class Writer {
 public:
  template <typename T>
  void operator()(const T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    const auto* from = reinterpret_cast<const uint8_t*>(&value);
    bytes.insert(bytes.end(), from, from + sizeof value);
  }
  std::vector<uint8_t> bytes;
};

class Reader {
 public:
  explicit Reader(std::span<const uint8_t> bytes) : bytes_(bytes) {}
  template <typename T>
  void operator()(T& value) {
    if (bytes_.size() < sizeof value) return;
    std::memcpy(&value, bytes_.data(), sizeof value);
    bytes_ = bytes_.subspan(sizeof value);
  }

 private:
  std::span<const uint8_t> bytes_;
};

// Each value that can be saved, in an order that stays.
template <typename Values, typename Visit>
void each_value(Values& values, Visit& visit) {
  visit(values.arbitration);
  visit(values.power_management);
  visit(values.over_temperature);
  visit(values.under_temperature);
  visit(values.write_cache);
  visit(values.interrupt_coalescing);
  visit(values.write_atomicity);
  visit(values.async_events);
  visit(values.apst_enabled);
  visit(values.apst);
  visit(values.host_controlled_thermal);
  visit(values.non_operational_power);
  visit(values.sanitize_config);
  visit(values.software_progress);
}

bool whole(std::span<const uint8_t> place, Header* header) {
  std::memcpy(header, place.data(), sizeof *header);
  return header->magic == kMagic && header->bytes <= place.size() - sizeof *header &&
         header->crc == base::crc32c(place.data() + sizeof *header, header->bytes);
}

// The newer of the two that is whole; -1: neither.
int newest(std::span<const uint8_t> store, Header* header) {
  const size_t half = store.size() / 2;
  int found = -1;
  for (int i = 0; i < 2; ++i) {
    Header candidate;
    if (!whole(store.subspan(i * half, half), &candidate)) continue;
    if (found >= 0 && candidate.sequence < header->sequence) continue;
    *header = candidate;
    found = i;
  }
  return found;
}

void write_namespaces(Writer& writer, const FeatureValues& saved, const FeatureValues& current,
                      size_t room) {
  std::map<uint32_t, NamespaceFeatures> all = saved.of_namespace;
  for (const auto& [nsid, features] : current.of_namespace) {
    all[nsid].write_protection = features.write_protection;
  }
  for (const auto& [nsid, features] : all) {
    const size_t ranges = features.lba_ranges.size();
    if (writer.bytes.size() + 16 + ranges * sizeof(spec::LbaRangeType) > room) break;
    writer(nsid);
    writer(features.error_recovery);
    writer(static_cast<uint32_t>(features.write_protection));
    writer(static_cast<uint32_t>(ranges));
    for (const spec::LbaRangeType& range : features.lba_ranges) writer(range);
  }
  writer(uint32_t{0});
}

}  // namespace

bool load_features(std::span<const uint8_t> store, FeatureValues& saved, FeatureValues& current) {
  Header header;
  const int place = newest(store, &header);
  if (place < 0) return false;
  const size_t half = store.size() / 2;
  Reader reader(store.subspan(place * half + sizeof header, header.bytes));
  each_value(saved, reader);
  uint32_t vectors = 0;
  reader(vectors);
  for (uint32_t i = 0; i < vectors; ++i) {
    bool disabled = false;
    reader(disabled);
    if (i < saved.coalescing_disabled.size()) saved.coalescing_disabled[i] = disabled;
  }
  for (uint32_t nsid = 0;; nsid = 0) {
    reader(nsid);
    if (nsid == 0) return true;
    uint32_t protection = 0;
    uint32_t ranges = 0;
    NamespaceFeatures& of = saved.of_namespace[nsid];
    reader(of.error_recovery);
    reader(protection);
    reader(ranges);
    of.lba_ranges.resize(std::min<size_t>(ranges, kLbaRangesMax));
    for (spec::LbaRangeType& range : of.lba_ranges) reader(range);
    current.of_namespace[nsid].write_protection = static_cast<uint8_t>(protection);
  }
}

void store_features(std::span<uint8_t> store, const FeatureValues& saved,
                    const FeatureValues& current) {
  const size_t half = store.size() / 2;
  Writer writer;
  each_value(saved, writer);
  writer(static_cast<uint32_t>(saved.coalescing_disabled.size()));
  for (const bool disabled : saved.coalescing_disabled) writer(disabled);
  write_namespaces(writer, saved, current, half - sizeof(Header) - sizeof(uint32_t));
  Header header{};
  const int place = newest(store, &header);
  header = {kMagic, place < 0 ? 1 : header.sequence + 1, static_cast<uint32_t>(writer.bytes.size()),
            base::crc32c(writer.bytes.data(), writer.bytes.size())};
  uint8_t* const to = store.data() + (place == 0 ? half : 0);
  std::memcpy(to + sizeof header, writer.bytes.data(), writer.bytes.size());
  std::memcpy(to, &header, sizeof header);
}

}  // namespace pynvme::ssd
