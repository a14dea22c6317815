// Media against a plain map of what each LBA holds now and what it would hold after a power loss,
// under seeded random commands. The tests read everything, so the model is small and the cache
// smaller.
#include <unistd.h>

#include <cstdio>
#include <deque>
#include <map>
#include <tuple>

#include <gtest/gtest.h>

#include "base/rng.h"
#include "ssd/media/media.h"
#include "ssd/media/media_test_util.h"

namespace pynvme::ssd {
namespace {

// What an LBA holds: a byte value, 0 for zeroes, -1 for uncorrectable.
struct Lba {
  int value = 0;
  bool allocated = false;
};

class Model {
 public:
  Model(uint32_t lbas_per_unit, uint64_t cache_units)
      : lbas_per_unit_(lbas_per_unit), cache_units_(cache_units) {}

  // nullopt-like: allocated false and value 0 is a deallocation.
  void set(uint64_t slba, uint64_t nlb, Lba lba, bool durable, bool is_write) {
    for (uint64_t end = slba + nlb; slba < end;) {
      const uint64_t unit = slba / lbas_per_unit_;
      const uint64_t unit_end = std::min(end, (unit + 1) * lbas_per_unit_);
      bool changes = is_write;
      for (uint64_t i = slba; i < unit_end; ++i) {
        const Lba& old = now_[i];
        // Zeroes that were written as data differ from zeroes that are none.
        changes = changes || old.value != lba.value || old.allocated != lba.allocated ||
                  written_[i] != is_write;
      }
      if (!durable && changes && !is_dirty(unit)) {
        dirty_.push_back(unit);
      }
      for (uint64_t i = slba; i < unit_end; ++i) {
        now_[i] = lba;
        written_[i] = is_write;
        if (durable || cache_units_ == 0) durable_[i] = lba, durable_written_[i] = is_write;
      }
      if (durable && unit_end - slba == lbas_per_unit_) {
        std::erase(dirty_, unit);
      }
      while (dirty_.size() > cache_units_) settle();
      slba = unit_end;
    }
  }
  void flush() {
    while (!dirty_.empty()) settle();
  }
  void power_lost() {
    now_ = durable_;
    written_ = durable_written_;
    dirty_.clear();
  }
  void format(uint32_t lbas_per_unit) { *this = Model(lbas_per_unit, cache_units_); }

  const Lba& at(uint64_t lba) { return now_[lba]; }
  uint64_t allocated() const {
    return static_cast<uint64_t>(std::count_if(
        now_.begin(), now_.end(), [](const auto& item) { return item.second.allocated; }));
  }
  uint64_t unflushed_units() const { return dirty_.size(); }

 private:
  bool is_dirty(uint64_t unit) const {
    return std::find(dirty_.begin(), dirty_.end(), unit) != dirty_.end();
  }
  void settle() {
    const uint64_t unit = dirty_.front();
    dirty_.pop_front();
    for (uint64_t i = unit * lbas_per_unit_; i < (unit + 1) * lbas_per_unit_; ++i) {
      durable_[i] = now_[i];
      durable_written_[i] = written_[i];
    }
  }

  uint64_t lbas_per_unit_;
  uint64_t cache_units_;
  std::map<uint64_t, Lba> now_, durable_;
  std::map<uint64_t, bool> written_, durable_written_;
  std::deque<uint64_t> dirty_;
};

// LBA size, cache in units, with a file, seed.
class MediaModel : public testing::TestWithParam<std::tuple<uint32_t, uint32_t, bool, uint64_t>> {};

constexpr uint64_t kUnits = 24;

void expect_same(Media& media, Model& model) {
  ASSERT_EQ(media.allocated_lbas(), model.allocated());
  ASSERT_EQ(media.unflushed_bytes(), model.unflushed_units() * 4096);
  for (uint64_t lba = 0; lba < media.lba_count(); ++lba) {
    ASSERT_EQ(read_value(media, lba), model.at(lba).value) << "LBA " << lba;
  }
}

TEST_P(MediaModel, BehavesLikeTheModel) {
  const auto [lba_bytes, cache_units, with_file, seed] = GetParam();
  const std::string file = with_file ? testing::TempDir() + "pynvme_media_model_" +
                                           std::to_string(getpid()) + "_" + std::to_string(seed)
                                     : "";
  const Media::Geometry geometry{kUnits * 4096, lba_bytes, cache_units * 4096, file, 0};
  auto media = std::make_unique<Media>(geometry);
  Model model(4096 / lba_bytes, cache_units);
  base::Rng rng(seed);
  for (int step = 0; step < 1500; ++step) {
    const uint64_t lbas = media->lba_count();
    const uint64_t slba = rng.below(lbas);
    const auto nlb = static_cast<uint32_t>(
        1 + rng.below(std::min<uint64_t>(lbas - slba, rng.percent(10) ? lbas : 12)));
    const bool durable = rng.percent(25);
    const uint64_t choice = rng.below(100);
    SCOPED_TRACE(testing::Message() << "step " << step << " choice " << choice << " slba " << slba
                                    << " nlb " << nlb << " durable " << durable);
    if (choice < 50) {
      const auto value = static_cast<uint8_t>(1 + rng.below(255));
      write_value(*media, slba, nlb, value, durable);
      model.set(slba, nlb, {value, true}, durable, true);
    } else if (choice < 62) {
      media->write_zeroes(slba, nlb, durable);
      model.set(slba, nlb, {0, true}, durable, false);
    } else if (choice < 74) {
      media->write_uncorrectable(slba, nlb, durable);
      model.set(slba, nlb, {-1, true}, durable, false);
    } else if (choice < 90) {
      media->deallocate(slba, nlb, durable);
      model.set(slba, nlb, {0, false}, durable, false);
    } else if (choice < 93) {
      media->flush();
      model.flush();
    } else if (choice < 98) {
      media->power_lost();
      model.power_lost();
    } else if (choice == 98 && with_file) {
      // Closed and opened: all is as it was, and durable.
      media.reset();
      media = std::make_unique<Media>(geometry);
      model.flush();
    } else if (choice == 99 && rng.percent(20)) {
      const uint32_t format = rng.percent(50) ? 512 : 4096;
      media->format(format);
      model.format(4096 / format);
    }
    if (step % 10 != 0) continue;
    ASSERT_NO_FATAL_FAILURE(expect_same(*media, model));
  }
  media->power_lost();
  model.power_lost();
  expect_same(*media, model);
  if (with_file) std::remove(file.c_str());
}

INSTANTIATE_TEST_SUITE_P(, MediaModel,
                         testing::Combine(testing::Values(512U, 4096U),
                                          testing::Values(0U, 1U, 5U, 100U), testing::Bool(),
                                          testing::Values(1U, 2U)));

}  // namespace
}  // namespace pynvme::ssd
