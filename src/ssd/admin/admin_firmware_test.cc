// Firmware download and commit: slots, activation, overlaps.
#include <string>

#include "ssd/test_host.h"

namespace pynvme::ssd::testing {
namespace {

class FirmwareTest : public ::testing::Test {
 protected:
  uint16_t download(const std::string& begin, uint32_t offset = 0, uint32_t bytes = 4096) {
    std::memset(host.at(page), 0, 4096);
    std::memcpy(host.at(page), begin.data(), begin.size());
    return host.status(Command::make(0x11).prp(page).set(10, bytes / 4 - 1).set(11, offset / 4));
  }
  uint16_t commit(uint32_t slot, uint32_t action) {
    return host.status(Command::make(0x10).set(10, action << 3 | slot));
  }
  std::string text(uint64_t at) { return std::string(reinterpret_cast<char*>(host.at(at)), 8); }
  std::string revision() {
    EXPECT_EQ(host.status(Command::make(0x06).prp(page).set(10, 1)), 0);
    return text(page + 64);
  }
  uint8_t afi() {
    EXPECT_EQ(host.status(Command::make(0x02).prp(page).set(10, 127 << 16 | 3)), 0);
    return host.get<uint8_t>(page);
  }
  void restart() {
    host.disable();
    host.enable();
  }

  TestHost host;
  uint64_t page = host.page();
};

TEST_F(FirmwareTest, SlotLogOfANewDrive) {
  EXPECT_EQ(afi(), 0x01);
  EXPECT_EQ(text(page + 8), "1.0     ");
  EXPECT_EQ(text(page + 16), std::string(8, '\0'));
}

TEST_F(FirmwareTest, ReplacedImageIsActivatedAtTheNextReset) {
  EXPECT_EQ(download("NEW-2.0!"), 0);
  EXPECT_EQ(download("", 4096), 0);
  EXPECT_EQ(commit(2, 1), 0);
  EXPECT_EQ(afi(), 0x21);
  EXPECT_EQ(text(page + 16), "NEW-2.0!");
  EXPECT_EQ(revision(), "1.0     ");
  restart();
  EXPECT_EQ(revision(), "NEW-2.0!");
  EXPECT_EQ(afi(), 0x02);
  EXPECT_EQ(commit(1, 2), 0) << "back to the one in slot 1";
  restart();
  EXPECT_EQ(revision(), "1.0     ");
}

TEST_F(FirmwareTest, StoredOnlyAndActivatedAtOnce) {
  EXPECT_EQ(download("NEW-2.0!"), 0);
  EXPECT_EQ(commit(3, 0), 0);
  EXPECT_EQ(afi(), 0x01);
  restart();
  EXPECT_EQ(revision(), "1.0     ");
  EXPECT_EQ(commit(3, 3), 0);
  EXPECT_EQ(revision(), "NEW-2.0!");
  EXPECT_EQ(afi(), 0x03);
  EXPECT_EQ(download("NEW-3.0!"), 0);
  EXPECT_EQ(commit(0, 3), 0) << "slot 0: the controller's choice";
  EXPECT_EQ(revision(), "NEW-3.0!");
  EXPECT_EQ(afi(), 0x01);
}

TEST_F(FirmwareTest, RevisionOfAnImageThatDoesNotBeginWithOne) {
  EXPECT_EQ(download(std::string("\x01\x02", 2)), 0);
  EXPECT_EQ(commit(2, 3), 0);
  EXPECT_EQ(revision().find_first_not_of("0123456789ABCDEF"), std::string::npos);
}

TEST_F(FirmwareTest, Checks) {
  EXPECT_EQ(commit(2, 1), 0x107) << "nothing downloaded";
  EXPECT_EQ(commit(2, 2), 0x107) << "an empty slot";
  EXPECT_EQ(commit(4, 1), 0x106);
  EXPECT_EQ(commit(7, 2), 0x106);
  for (uint32_t action = 4; action < 8; ++action) EXPECT_EQ(commit(1, action), 0x002) << action;
  EXPECT_EQ(download("X", 0, 132 * 1024), 0x002) << "beyond MDTS";
  EXPECT_EQ(host.status(Command::make(0x11).prp(page).set(10, 1023).set(11, 0xFFFFFC00)), 0x002);
  EXPECT_EQ(host.status(Command::make(0x11).prp(0x5000).set(10, 1023)), 0x004);
}

TEST_F(FirmwareTest, GapsAndOverlaps) {
  EXPECT_EQ(download("A", 4096), 0);
  EXPECT_EQ(commit(2, 1), 0x107) << "the beginning is missing";
  EXPECT_EQ(download("A"), 0);
  EXPECT_EQ(download("B"), 0x114);
  EXPECT_EQ(commit(2, 1), 0x114);
  EXPECT_EQ(download("C-1"), 0) << "the commit cleared the way";
  EXPECT_EQ(commit(2, 1), 0);
  EXPECT_EQ(download("D-1", 0, 2052), 0) << "FWUG asks for no more than dwords";
  EXPECT_EQ(download("E", 2052, 4), 0);
  EXPECT_EQ(commit(2, 1), 0);
}

TEST_F(FirmwareTest, ResetForgetsADownload) {
  EXPECT_EQ(download("A"), 0);
  restart();
  EXPECT_EQ(commit(2, 1), 0x107);
}

}  // namespace
}  // namespace pynvme::ssd::testing
