// The command log as its writer and its readers see it, and the text made of it.
#include "driver/cmdlog.h"

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "driver/cmdlog_text.h"
#include "spec/opcode.h"

namespace pynvme::driver {
namespace {

spec::Sqe numbered(uint64_t n) {
  spec::Sqe sqe{};
  sqe.opcode = static_cast<uint8_t>(n);
  sqe.mptr = n;
  sqe.prp1 = n * 3;
  sqe.set_slba(n * 7);
  sqe.cdw15 = static_cast<uint32_t>(n);
  return sqe;
}

TEST(CmdLogTest, KeepsTheLast4096InOrder) {
  CmdLog log(5);
  EXPECT_TRUE(log.latest().empty());
  for (uint64_t n = 1; n <= 5000; ++n) EXPECT_EQ(log.append(numbered(n)), n);
  const auto all = log.latest();
  ASSERT_EQ(all.size(), 4096U);
  EXPECT_EQ(all.front().sequence, 905U);
  EXPECT_EQ(all.back().sequence, 5000U);
  EXPECT_EQ(all.back().sqe.mptr, 5000U);
  EXPECT_EQ(all.back().sqid, 5);
  const auto last = log.latest(3);
  ASSERT_EQ(last.size(), 3U);
  EXPECT_EQ(last[0].sequence, 4998U);
}

TEST(CmdLogTest, ACompletionWhoseRecordIsOverwrittenIsNotWrittenIntoAnothers) {
  CmdLog log(0);
  const uint64_t old = log.append(numbered(1));
  for (uint64_t n = 0; n < CmdLog::kRecords; ++n) log.append(numbered(2));
  spec::Cqe cqe{};
  cqe.cdw0 = 77;
  log.completed(old, cqe, 123);
  for (const auto& command : log.latest()) ASSERT_EQ(command.state, CommandState::kOutstanding);
}

TEST(CmdLogTest, MergesByTime) {
  const auto a = std::make_shared<CmdLog>(1);
  const auto b = std::make_shared<CmdLog>(2);
  a->submitted(a->append(numbered(10)), 100);
  b->submitted(b->append(numbered(20)), 50);
  a->submitted(a->append(numbered(11)), 150);
  b->append(numbered(21));  // not rung
  const auto all = merged({a, b});
  ASSERT_EQ(all.size(), 4U);
  EXPECT_EQ(all[0].sqe.opcode, 20);
  EXPECT_EQ(all[1].sqe.opcode, 10);
  EXPECT_EQ(all[2].sqe.opcode, 11);
  EXPECT_EQ(all[3].sqe.opcode, 21);
  EXPECT_EQ(merged({a, b}, 2).front().sqe.opcode, 11);
  const auto each = latest_of_each({a, b}, 1);
  ASSERT_EQ(each.size(), 2U);
  EXPECT_EQ(each[0].sqe.opcode, 11);
  EXPECT_EQ(each[1].sqe.opcode, 21);
}

TEST(CmdLogTest, AnotherThreadNeverReadsATornRecord) {
  CmdLog log(1);
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    for (uint64_t n = 1; !stop.load(std::memory_order_relaxed); ++n) {
      const uint64_t sequence = log.append(numbered(n));
      log.submitted(sequence, n);
      spec::Cqe cqe{};
      cqe.cdw0 = static_cast<uint32_t>(n);
      cqe.cid = static_cast<uint16_t>(n);
      log.completed(sequence, cqe, n + 1);
    }
  });
  for (int i = 0; i < 200; ++i) {
    for (const auto& command : log.latest(64)) {
      const uint64_t n = command.sequence;
      ASSERT_EQ(command.sqe.mptr, n);
      ASSERT_EQ(command.sqe.prp1, n * 3);
      ASSERT_EQ(command.sqe.slba(), n * 7);
      if (command.state != CommandState::kCompleted) continue;
      ASSERT_EQ(command.submit_ns, n);
      ASSERT_EQ(command.complete_ns, n + 1);
      ASSERT_EQ(command.cqe.cdw0, static_cast<uint32_t>(n));
    }
  }
  stop = true;
  writer.join();
}

TEST(CmdLogTextTest, NamesTheFields) {
  spec::Sqe read{};
  read.opcode = spec::io::kRead;
  read.cid = 3;
  read.nsid = 1;
  read.set_slba(0x1'0000'0008);
  read.cdw12 = 7 | 1U << 30;
  read.prp1 = 0x1'0000'0000;
  EXPECT_EQ(command_text(read, 1),
            "Read (02h) sqid:1 cid:3 nsid:1 slba:0x100000008 nlb:8 fua:1 prp1:0x100000000");
  spec::Sqe identify{};
  identify.opcode = spec::admin::kIdentify;
  identify.cdw10 = 1;
  EXPECT_EQ(command_text(identify, 0), "Identify (06h) sqid:0 cid:0 nsid:0 cns:0x1");
  spec::Sqe vendor{};
  vendor.opcode = 0xC1;
  vendor.cdw10 = 5;
  vendor.cdw15 = 6;
  EXPECT_EQ(command_text(vendor, 0),
            "Vendor Specific (C1h) sqid:0 cid:0 nsid:0 cdw10:0x5 cdw15:0x6");
  spec::Sqe fused{};
  fused.opcode = spec::io::kCompare;
  fused.set_fuse(spec::Fuse::kFirst);
  EXPECT_EQ(command_text(fused, 2), "Compare (05h) sqid:2 cid:0 nsid:0 fuse:1 slba:0x0 nlb:1");
}

// Dwords written out by hand, and the line that a person should see.
TEST(CmdLogTextTest, NamesTheFieldsOfEachOpcode) {
  struct Case {
    uint16_t sqid;
    uint8_t opcode;
    uint32_t cdw10, cdw11, cdw12, cdw13, cdw14, cdw15;
    const char* fields;
  };
  const Case cases[] = {
      {0, 0x01, 0x000F0003, 0x00050005, 7, 0, 0, 0,
       "qid:3 qsize:16 pc:1 qprio:2 cqid:5 nvmsetid:7"},
      {0, 0x05, 0x000F0003, 0x00020003, 0, 0, 0, 0, "qid:3 qsize:16 pc:1 ien:1 iv:2"},
      {0, 0x02, 0x007F8102, 0, 0x1000, 1, 0x00800000, 0,
       "lid:0x2 (SMART / Health Information) lsp:1 rae:1 numdl:0x7f lpo:0x100001000 ot:1"},
      {0, 0x08, 0x00070002, 0, 0, 0, 0, 0, "sqid_abort:2 cid_abort:7"},
      {0, 0x09, 0x80000006, 1, 0, 0, 0, 0, "fid:0x6 (Volatile Write Cache) sv:1 cdw11:0x1"},
      {0, 0x0A, 0x00000304, 0, 0, 0, 0, 0, "fid:0x4 (Temperature Threshold) sel:3"},
      {0, 0x0D, 1, 0x02000000, 0, 0, 0, 0, "sel:1 csi:2"},
      {0, 0x10, 0x80000009, 0, 0, 0, 0, 0, "fs:1 ca:1 bpid:1"},
      {0, 0x11, 0x3FF, 0x400, 0, 0, 0, 0, "numd:1024 ofst:0x400"},
      {0, 0x14, 0xF, 0, 0, 0, 0, 0, "stc:0xf"},
      {0, 0x18, 0, 0, 0, 0, 0, 0, ""},
      {0, 0x1A, 0xF, 0x00030101, 0, 0, 0, 0, "numd:16 doper:0x1 dtype:1 dspec:3"},
      {0, 0x80, 0x00000201, 0, 0, 0, 0, 0, "lbafl:1 ses:1"},
      {0, 0x82, 0x01000100, 512, 0, 0, 0, 0, "secp:0x1 spsp:0x1 al:512"},
      {0, 0x84, 0x00000A1B, 0xAA, 0, 0, 0, 0,
       "sanact:3 ause:1 owpass:1 ndas:1 ovrpat:0xaa cdw10:0xa1b"},
      {0, 0x86, 8, 0, 3, 0x11000010, 0, 0, "slba:0x8 mndw:4 rl:16 atype:0x11"},
      {1, 0x01, 8, 0, 0x40100007, 0x00050001, 0, 0, "slba:0x8 nlb:8 fua:1 dtype:1 dsm:0x1 dspec:5"},
      {1, 0x02, 8, 0, 0x20000007, 0, 9, 0xFFFF0001,
       "slba:0x8 nlb:8 prinfo:0x8 eilbrt:0x9 elbat:0x1 elbatm:0xffff"},
      {1, 0x04, 8, 1, 0, 0, 0, 0, "slba:0x100000008 nlb:1"},
      {1, 0x08, 8, 0, 0x02000007, 0, 0, 0, "slba:0x8 nlb:8 deac:1"},
      {1, 0x09, 3, 4, 0, 0, 0, 0, "nr:4 ad:1"},
      {1, 0x0C, 8, 0, 7, 0, 0, 0, "slba:0x8 nlb:8"},
      {1, 0x19, 0x20, 0, 0x00000101, 0, 0, 0, "sdlba:0x20 nr:2 desfmt:1"},
      {1, 0x79, 0x100, 0, 0, 0x104, 0, 0, "slba:0x100 zsa:0x4 select_all:1"},
      {1, 0x00, 5, 0, 0, 0, 0, 0, "cdw10:0x5"},
  };
  for (const Case& c : cases) {
    spec::Sqe sqe{};
    sqe.opcode = c.opcode;
    sqe.cdw10 = c.cdw10;
    sqe.cdw11 = c.cdw11;
    sqe.cdw12 = c.cdw12;
    sqe.cdw13 = c.cdw13;
    sqe.cdw14 = c.cdw14;
    sqe.cdw15 = c.cdw15;
    const std::string text = command_text(sqe, c.sqid);
    const std::string start = "sqid:" + std::to_string(c.sqid) + " cid:0 nsid:0";
    const std::string fields = text.substr(text.find(start) + start.size());
    EXPECT_EQ(fields, *c.fields == '\0' ? "" : std::string(" ") + c.fields) << text;
  }
}

TEST(CmdLogTextTest, TellsStatusAndTime) {
  const spec::Cqe cqe{0x10, 0, 4, 1, 3, spec::with_phase(spec::make_status(0, 0x80, true), true)};
  const std::string text = completion_text(cqe);
  EXPECT_NE(text.find("(00/80) sqid:1 cid:3 cdw0:0x10 sqhd:4 p:1 m:0 dnr:1"), std::string::npos)
      << text;
  LoggedCommand command{};
  command.sqid = 1;
  command.submit_ns = 1000;
  EXPECT_TRUE(logged_text(command).ends_with("-> outstanding"));
  command.state = CommandState::kTimedOut;
  command.complete_ns = 3500;
  EXPECT_TRUE(logged_text(command).ends_with("-> timed out (2.500 us)"));
  command.submit_ns = 0;
  command.state = CommandState::kOutstanding;
  EXPECT_TRUE(logged_text(command).ends_with("-> not rung yet"));
}

}  // namespace
}  // namespace pynvme::driver
