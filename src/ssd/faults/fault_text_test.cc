#include "ssd/faults/fault_text.h"

#include <stdexcept>
#include <string>

#include <gtest/gtest.h>

namespace pynvme::ssd {
namespace {

std::string error_of(std::string_view match, std::string_view action) {
  try {
    parse_fault(match, action);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return {};
}

bool fits(const Fault& fault, uint16_t sqid, uint8_t opcode, uint64_t slba = 0, uint32_t nlb = 1) {
  spec::Sqe sqe{};
  sqe.opcode = opcode;
  sqe.nsid = 1;
  sqe.set_slba(slba);
  sqe.cdw12 = nlb - 1;
  return fault.match.fits(FaultSubject(sqe, sqid));
}

TEST(FaultText, TheActionSaysWhichCommandsWhenTheMatchDoesNot) {
  EXPECT_TRUE(fits(parse_fault("", "drop"), 1, 0x01));
  EXPECT_FALSE(fits(parse_fault("", "drop"), 1, 0x02));
  EXPECT_TRUE(fits(parse_fault("", "flip"), 1, 0x02));
  EXPECT_FALSE(fits(parse_fault("", "flip"), 1, 0x01));
  EXPECT_TRUE(fits(parse_fault("", "flip:where=write"), 1, 0x01));
  EXPECT_FALSE(fits(parse_fault("", "flip:where=write"), 1, 0x02));
  EXPECT_TRUE(fits(parse_fault("", "flip:where=media"), 1, 0x01));
  EXPECT_TRUE(fits(parse_fault("", "flip:where=media"), 1, 0x02));
  EXPECT_TRUE(fits(parse_fault("", "stale"), 1, 0x02));
}

TEST(FaultText, OpcodesByNumberAndName) {
  const Fault several = parse_fault("opcode=0x04+flush+Write Zeroes+trim", "drop");
  for (const uint8_t opcode : {0x00, 0x04, 0x08, 0x09}) EXPECT_TRUE(fits(several, 3, opcode));
  EXPECT_FALSE(fits(several, 3, 0x01));
  EXPECT_FALSE(fits(several, 0, 0x00)) << "Delete I/O SQ";
  const Fault identify = parse_fault("identify+get_log_page", "drop");
  EXPECT_TRUE(fits(identify, 0, 0x06));
  EXPECT_TRUE(fits(identify, 0, 0x02));
  EXPECT_FALSE(fits(identify, 1, 0x02));
}

TEST(FaultText, Queues) {
  EXPECT_TRUE(fits(parse_fault("6,queue=admin", "drop"), 0, 0x06));
  EXPECT_FALSE(fits(parse_fault("6,queue=admin", "drop"), 1, 0x06));
  EXPECT_TRUE(fits(parse_fault("queue=0", "drop"), 0, 0x06));
  EXPECT_FALSE(fits(parse_fault("queue=0", "drop"), 1, 0x01));
  EXPECT_TRUE(fits(parse_fault("queue=2+3", "drop"), 3, 0x01));
  EXPECT_FALSE(fits(parse_fault("queue=2+3", "drop"), 1, 0x01));
  EXPECT_TRUE(fits(parse_fault("queue=io", "drop"), 7, 0x01));
}

TEST(FaultText, LbasOverlap) {
  const Fault fault = parse_fault("read,lba=8-15", "flip");
  EXPECT_FALSE(fits(fault, 1, 0x02, 0, 8));
  EXPECT_TRUE(fits(fault, 1, 0x02, 0, 9));
  EXPECT_TRUE(fits(fault, 1, 0x02, 15, 8));
  EXPECT_FALSE(fits(fault, 1, 0x02, 16, 8));
  EXPECT_TRUE(fits(fault, 1, 0x02, 0, 65536));
  EXPECT_TRUE(fits(parse_fault("lba=5", "drop"), 1, 0x01, 5));
  EXPECT_FALSE(fits(parse_fault("lba=0,opcode=flush", "drop"), 1, 0x00)) << "it has no LBAs";
}

TEST(FaultText, NthIsAfterAndCount) {
  const Fault nth = parse_fault("read,nth=5", "flip");
  EXPECT_EQ(nth.match.after, 4u);
  EXPECT_EQ(nth.match.count, 1u);
  const Fault always = parse_fault("read", "flip");
  EXPECT_EQ(always.match.after, 0u);
  EXPECT_EQ(always.match.count, 0u);
}

TEST(FaultText, RelativeNumbers) {
  EXPECT_EQ(parse_fault("", "misdirect:to=+8").number("to")->from(100), 108u);
  EXPECT_EQ(parse_fault("", "misdirect:to=-8").number("to")->from(100), 92u);
  EXPECT_EQ(parse_fault("", "misdirect,to=8").number("to")->from(100), 8u);
}

TEST(FaultText, WrongTextsSayWhatIsPossible) {
  EXPECT_EQ(error_of("colour=red", "drop"),
            "match: \"colour\" is no key of a match; the keys are opcode, queue, nsid, cid, lba, "
            "nth, after, count, chance, seed");
  EXPECT_EQ(error_of("read", "flip:bits=0"), "action: bits=0: give a whole number from 1 to 4096");
  EXPECT_EQ(error_of("flush", "flip"),
            "match: the action flip acts on Read and Write commands only");
  EXPECT_EQ(error_of("read", "flip:where=write"),
            "match: the action flip acts on Write commands only, with this `where`");
  EXPECT_EQ(error_of("read,read", "flip"), "match: read: give it as key=value");
  EXPECT_EQ(error_of("read,lba=1,lba=2", "flip"), "match: lba is given twice");
  EXPECT_EQ(error_of("", ""), "action: give one, such as flip:bits=2");
  EXPECT_EQ(error_of("", "flip:size=2"),
            "action: \"size\" is no key of flip; its keys are where, bits, bit");
  EXPECT_EQ(error_of("", "drop:size=2"), "action: \"size\" is no key of drop; it has none");
  for (const char* match : {"opcode=",
                            "opcode=256",
                            "opcode=reserved",
                            "queue=x",
                            "queue=65536",
                            "lba=",
                            "lba=5-4",
                            "lba=x",
                            "lba=18446744073709551615",
                            "nth=0",
                            "nth=1,count=2",
                            "nth=2,after=1",
                            "chance=2",
                            "chance=-1",
                            "chance=nan",
                            "chance=",
                            "nsid=4294967296",
                            "cid=65536",
                            "count=-1",
                            "seed=x",
                            "identify,queue=io",
                            "read,queue=admin",
                            ",",
                            "=1"}) {
    EXPECT_NE(error_of(match, "drop"), "") << match;
  }
  for (const char* action :
       {"explode", "flip:bits", "flip:bits=", "flip:bits=+1", "flip:bit=32768", "flip:where=disk",
        "tear:first=1,last=1", "misdirect:to=x", "bits=2", "drop:where=read"}) {
    EXPECT_NE(error_of("", action), "") << action;
  }
}

}  // namespace
}  // namespace pynvme::ssd
