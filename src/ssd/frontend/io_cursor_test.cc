#include "ssd/frontend/io_cursor.h"

#include <numeric>
#include <vector>

#include <gtest/gtest.h>

namespace pynvme::ssd {
namespace {

TEST(IoCursor, MovesAcrossPiecesWhereverTheyEnd) {
  std::vector<uint8_t> host(32, 0xEE);
  const IoVec pieces[] = {{host.data(), 3}, {host.data() + 8, 10}, {host.data() + 24, 7}};
  std::vector<uint8_t> media(20);
  std::iota(media.begin(), media.end(), uint8_t{1});

  IoCursor to(pieces);
  to.to_host(media.data(), 5);
  to.zero_host(2);
  to.to_host(media.data() + 7, 13);
  const std::vector<uint8_t> expected = {
      1,  2,  3,    0xEE, 0xEE, 0xEE, 0xEE, 0xEE, 4,  5,  0,  0,  8,  9,  10, 11,
      12, 13, 0xEE, 0xEE, 0xEE, 0xEE, 0xEE, 0xEE, 14, 15, 16, 17, 18, 19, 20, 0xEE};
  EXPECT_EQ(host, expected);

  std::vector<uint8_t> back(20);
  IoCursor(pieces).from_host(back.data(), 20);
  media[5] = media[6] = 0;
  EXPECT_EQ(back, media);
  EXPECT_TRUE(IoCursor(pieces).equals(media.data(), 20));
  media[19] = 0;
  EXPECT_FALSE(IoCursor(pieces).equals(media.data(), 20));
  EXPECT_TRUE(IoCursor(pieces).equals(media.data(), 19));
}

}  // namespace
}  // namespace pynvme::ssd
