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
