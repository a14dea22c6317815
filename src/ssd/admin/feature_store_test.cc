// Saved features written down and read back.
#include "ssd/admin/feature_store.h"

#include <vector>

#include <gtest/gtest.h>

namespace pynvme::ssd {
namespace {

class FeatureStoreTest : public ::testing::Test {
 protected:
  std::vector<uint8_t> store = std::vector<uint8_t>(kFeatureStoreBytes);
  FeatureValues saved, current, loaded_saved, loaded_current;
};

TEST_F(FeatureStoreTest, NothingYet) {
  EXPECT_FALSE(load_features(store, saved, current));
  EXPECT_EQ(saved.arbitration, 0u);
}

TEST_F(FeatureStoreTest, ReadsBackWhatWasSaved) {
  saved.arbitration = 7;
  saved.over_temperature[2] = 333;
  saved.write_cache = false;
  saved.apst.entry[1].value = 0x123;
  saved.coalescing_disabled = {false, true, false};
  saved.software_progress = 9;
  saved.of_namespace[3].error_recovery = 0x1'0005;
  saved.of_namespace[3].lba_ranges.resize(2);
  saved.of_namespace[3].lba_ranges[1].nlb = 77;
  current.of_namespace[5].write_protection = 1;
  store_features(store, saved, current);
  loaded_saved.coalescing_disabled.assign(2, false);
  ASSERT_TRUE(load_features(store, loaded_saved, loaded_current));
  EXPECT_EQ(loaded_saved.arbitration, 7u);
  EXPECT_EQ(loaded_saved.over_temperature[2], 333);
  EXPECT_FALSE(loaded_saved.write_cache);
  EXPECT_EQ(loaded_saved.apst.entry[1].value, 0x123u);
  EXPECT_EQ(loaded_saved.coalescing_disabled, (std::vector<bool>{false, true}));
  EXPECT_EQ(loaded_saved.software_progress, 9);
  EXPECT_EQ(loaded_saved.of_namespace[3].error_recovery, 0x1'0005u);
  ASSERT_EQ(loaded_saved.of_namespace[3].lba_ranges.size(), 2u);
  EXPECT_EQ(loaded_saved.of_namespace[3].lba_ranges[1].nlb, 77u);
  EXPECT_EQ(loaded_current.of_namespace[5].write_protection, 1);
}

TEST_F(FeatureStoreTest, TheNewestWholeOneCounts) {
  for (uint32_t value = 1; value <= 3; ++value) {
    saved.arbitration = value;
    store_features(store, saved, current);
  }
  ASSERT_TRUE(load_features(store, loaded_saved, loaded_current));
  EXPECT_EQ(loaded_saved.arbitration, 3u);
  // Torn in the middle: the one before is still there.
  store[24] ^= 1;
  ASSERT_TRUE(load_features(store, loaded_saved, loaded_current));
  EXPECT_EQ(loaded_saved.arbitration, 2u);
}

}  // namespace
}  // namespace pynvme::ssd
