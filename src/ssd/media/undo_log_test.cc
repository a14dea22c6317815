#include "ssd/media/undo_log.h"

#include <gtest/gtest.h>

namespace pynvme::ssd {
namespace {

TEST(UndoLog, KeepsTheOrderWhateverIsDropped) {
  UndoLog log(4, 100);
  EXPECT_FALSE(log.oldest_unit().has_value());
  for (uint64_t unit : {70, 10, 50, 30}) ASSERT_TRUE(log.push(unit, Entry(unit)));
  EXPECT_EQ(log.count(), 4U);
  EXPECT_EQ(log.oldest_unit(), 70U);
  log.drop(50);
  log.drop(70);
  EXPECT_EQ(log.oldest_unit(), 10U);
  ASSERT_TRUE(log.push(70, Entry(71)));
  log.drop(10);
  EXPECT_EQ(log.oldest_unit(), 30U);
  log.drop(30);
  EXPECT_EQ(log.oldest_unit(), 70U);
  EXPECT_EQ(log.durable(70), Entry(71));
  log.drop(70);
  EXPECT_EQ(log.count(), 0U);
  EXPECT_FALSE(log.oldest_unit().has_value());
}

TEST(UndoLog, HasRoomForOneMoreThanItsLimit) {
  UndoLog log(2, 10);
  EXPECT_TRUE(log.push(1, Entry()));
  EXPECT_TRUE(log.push(2, Entry()));
  EXPECT_TRUE(log.push(3, Entry()));
  EXPECT_FALSE(log.push(4, Entry()));
  log.drop(2);
  EXPECT_TRUE(log.push(4, Entry()));
}

}  // namespace
}  // namespace pynvme::ssd
