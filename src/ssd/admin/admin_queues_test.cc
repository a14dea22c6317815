// Creating, deleting and ringing queues: every check, every way a queue may lie in memory.
#include "ssd/test_host.h"

namespace pynvme::ssd::testing {
namespace {

class QueuesTest : public ::testing::Test {
 protected:
  Command cq(uint32_t qid, uint32_t qsize = 15, uint32_t flags = 1, uint64_t prp = 0) {
    return Command::make(0x05)
        .prp(prp == 0 ? host.page() : prp)
        .set(10, qsize << 16 | qid)
        .set(11, flags);
  }
  Command sq(uint32_t qid, uint32_t cqid, uint32_t qsize = 15, uint32_t flags = 1,
             uint64_t prp = 0) {
    return Command::make(0x01)
        .prp(prp == 0 ? host.page() : prp)
        .set(10, qsize << 16 | qid)
        .set(11, cqid << 16 | flags);
  }
  Command remove(uint8_t opcode, uint32_t qid) { return Command::make(opcode).set(10, qid); }
  // The oldest event that was reported, as an AER's CDW0.
  void arm() { host.submit(host.admin, Command::make(0x0C)); }

  TestHost host;
};

TEST_F(QueuesTest, CreateCompletionQueueChecks) {
  EXPECT_EQ(host.status(cq(0)), 0x101) << "QID 0";
  EXPECT_EQ(host.status(cq(17)), 0x101) << "beyond the last";
  EXPECT_EQ(host.status(cq(0xFFFF)), 0x101);
  EXPECT_EQ(host.status(cq(1, 0)), 0x102) << "size 0";
  EXPECT_EQ(host.status(cq(1, 1024)), 0x102) << "beyond MQES";
  EXPECT_EQ(host.status(cq(1, 15, 17 << 16 | 3)), 0x108) << "vector";
  EXPECT_EQ(host.status(cq(1, 15, 1, TestHost::kBase + 8)), 0x013) << "not a page";
  EXPECT_EQ(host.status(cq(1, 15, 1, 0x5000)), 0x004) << "not mapped";
  const Completion bad = host.run(cq(1, 0));
  EXPECT_TRUE(bad.dnr());
  EXPECT_EQ(host.status(cq(1)), 0);
  EXPECT_EQ(host.status(cq(1)), 0x101) << "in use";
  EXPECT_EQ(host.status(cq(2, 1023, 1, host.page(4))), 0) << "MQES itself";
  EXPECT_EQ(host.status(cq(3, 15, 16 << 16 | 3)), 0) << "the last vector";
}

TEST_F(QueuesTest, CreateSubmissionQueueChecks) {
  ASSERT_EQ(host.status(cq(1)), 0);
  EXPECT_EQ(host.status(sq(0, 1)), 0x101);
  EXPECT_EQ(host.status(sq(17, 1)), 0x101);
  EXPECT_EQ(host.status(sq(1, 0)), 0x101) << "the admin completion queue";
  EXPECT_EQ(host.status(sq(1, 17)), 0x101);
  EXPECT_EQ(host.status(sq(1, 2)), 0x100) << "not created";
  EXPECT_EQ(host.status(sq(1, 1, 0)), 0x102);
  EXPECT_EQ(host.status(sq(1, 1, 1024)), 0x102);
  EXPECT_EQ(host.status(sq(1, 1, 15, 1, TestHost::kBase + 64)), 0x013);
  EXPECT_EQ(host.status(sq(1, 1, 15, 1, 0x5000)), 0x004);
  EXPECT_EQ(host.status(sq(1, 1)), 0);
  EXPECT_EQ(host.status(sq(1, 1)), 0x101);
  EXPECT_EQ(host.status(sq(16, 1)), 0) << "several to one completion queue";
}

TEST_F(QueuesTest, EntrySizesMustBeSetBefore) {
  host.set_reg32(0x14, 0x00000001);
  EXPECT_EQ(host.status(cq(1)), 0x102);
  host.set_reg32(0x14, 0x00400001);
  EXPECT_EQ(host.status(cq(1)), 0);
  EXPECT_EQ(host.status(sq(1, 1)), 0x102);
  host.set_reg32(0x14, 0x00460001);
  EXPECT_EQ(host.status(sq(1, 1)), 0);
}

TEST_F(QueuesTest, DeleteChecks) {
  HostQueue q = host.create_queue(1);
  EXPECT_EQ(host.status(remove(0x04, 0)), 0x101);
  EXPECT_EQ(host.status(remove(0x00, 0)), 0x101);
  EXPECT_EQ(host.status(remove(0x04, 2)), 0x101);
  EXPECT_EQ(host.status(remove(0x00, 2)), 0x101);
  EXPECT_EQ(host.status(remove(0x00, 0xFFFF)), 0x101);
  EXPECT_EQ(host.status(remove(0x04, 1)), 0x10C) << "still referenced";
  EXPECT_EQ(host.status(remove(0x00, 1)), 0);
  EXPECT_EQ(host.status(remove(0x00, 1)), 0x101);
  EXPECT_EQ(host.status(remove(0x04, 1)), 0);
  EXPECT_EQ(host.status(remove(0x04, 1)), 0x101);
  q = host.create_queue(1);
  EXPECT_EQ(host.status(q, Command::make(0x00, 1)), 0);
}

TEST_F(QueuesTest, TwoSubmissionQueuesShareACompletionQueue) {
  HostQueue one = host.create_queue(1, 10);
  HostQueue two{2, 1, 16, host.page(), one.cq};
  ASSERT_EQ(host.status(host.create_sq(two)), 0);
  host.submit(two, Command::make(0x00, 1), 567);
  host.submit(one, Command::make(0x00, 1), 123);
  Completion first = *host.poll(one);
  EXPECT_EQ(first.sqid(), 2);
  EXPECT_EQ(first.sqhd(), 1);
  EXPECT_EQ(first.cid(), 567);
  Completion second = *host.poll(one);
  EXPECT_EQ(second.sqid(), 1);
  EXPECT_EQ(second.sqhd(), 1);
  EXPECT_EQ(second.cid(), 123);
  EXPECT_EQ(host.status(remove(0x00, 1)), 0);
  EXPECT_EQ(host.status(remove(0x04, 1)), 0x10C);
}

TEST_F(QueuesTest, ScatteredQueueMemory) {
  // 100 SQEs on two pages and 300 CQEs on two pages, in reverse order, by PRP lists.
  const uint64_t list = host.page();
  const uint64_t pages = host.page(4);
  host.put<uint64_t>(list, pages + 0x1000);
  host.put<uint64_t>(list + 8, pages);
  host.put<uint64_t>(list + 2048, 0);
  const uint64_t cq_list = host.page();
  host.put<uint64_t>(cq_list, pages + 0x3000);
  host.put<uint64_t>(cq_list + 8, pages + 0x2000);
  ASSERT_EQ(host.status(cq(1, 299, 0, cq_list)), 0);
  ASSERT_EQ(host.status(sq(1, 1, 99, 0, list)), 0);
  for (uint32_t i = 0; i < 350; ++i) {
    const uint32_t entry = i % 100;
    const uint64_t sqe = entry < 64 ? pages + 0x1000 + entry * 64 : pages + (entry - 64) * 64;
    Command flush = Command::make(0x00, 1).cid(static_cast<uint16_t>(i));
    std::memcpy(host.at(sqe), flush.dw.data(), 64);
    host.ring(2, (i + 1) % 100);
    const uint32_t at = i % 300;
    const uint64_t cqe = at < 256 ? pages + 0x3000 + at * 16 : pages + 0x2000 + (at - 256) * 16;
    ASSERT_EQ(host.get<uint16_t>(cqe + 12), i);
    ASSERT_EQ(host.get<uint16_t>(cqe + 14), i < 300 ? 1 : 0) << "phase, and success";
    host.ring(3, (i + 1) % 300);
  }
}

TEST_F(QueuesTest, ScatteredQueueChecks) {
  const uint64_t list = host.page();
  host.put<uint64_t>(list, host.page() + 4);
  EXPECT_EQ(host.status(cq(1, 15, 0, list)), 0x013);
  host.put<uint64_t>(list, 0x5000);
  EXPECT_EQ(host.status(cq(1, 15, 0, list)), 0x004);
  EXPECT_EQ(host.status(cq(1, 15, 0, 0x5000)), 0x004);
}

TEST_F(QueuesTest, WrapsAndFlipsItsPhaseAtEveryDepth) {
  for (const uint32_t depth : {2u, 3u, 7u, 64u, 100u}) {
    HostQueue q = host.create_queue(1, depth);
    for (uint32_t i = 0; i < 3 * depth + 1; ++i) {
      ASSERT_EQ(host.status(q, Command::make(0x00, 1)), 0) << depth;
    }
    ASSERT_EQ(host.status(remove(0x00, 1)), 0);
    ASSERT_EQ(host.status(remove(0x04, 1)), 0);
  }
}

TEST_F(QueuesTest, FullCompletionQueueHoldsCommandsBack) {
  HostQueue q = host.create_queue(1, 64);
  HostQueue narrow{2, 2, 4, host.page(), host.page()};
  ASSERT_EQ(host.status(host.create_cq(narrow)), 0);
  q = HostQueue{2, 2, 64, host.page(), narrow.cq};
  ASSERT_EQ(host.status(host.create_sq(q)), 0);
  for (uint16_t i = 0; i < 10; ++i) host.place(q, Command::make(0x00, 1), i);
  host.ring_tail(q);
  q.depth = 4;  // of the completion queue, from here on
  uint16_t seen = 0;
  for (; seen < 3; ++seen) EXPECT_EQ(host.poll(q, true)->cid(), seen);
  EXPECT_FALSE(host.poll(q, true));
  host.ring(5, q.head);
  while (const auto c = host.poll(q)) EXPECT_EQ(c->cid(), seen++);
  EXPECT_EQ(seen, 10);
}

TEST_F(QueuesTest, InvalidDoorbellsRaiseEvents) {
  HostQueue q = host.create_queue(1, 8);
  const auto event_after = [&](uint32_t index, uint32_t value) -> int64_t {
    arm();
    host.ring(index, value);
    const auto c = host.poll(host.admin);
    const uint64_t page = host.page();
    host.run(Command::make(0x02, 0xFFFFFFFF).prp(page).set(10, 15 << 16 | 1));
    return c ? static_cast<int64_t>(c->cdw0()) : -1;
  };
  EXPECT_EQ(event_after(4, 1), 0x010000) << "a queue that is not there";
  EXPECT_EQ(event_after(5, 1), 0x010000);
  EXPECT_EQ(event_after(900, 1), 0x010000) << "no doorbell";
  EXPECT_EQ(event_after(2, 8), 0x010100) << "tail beyond the queue";
  EXPECT_EQ(event_after(2, 0x10001), 0x010100) << "reserved bits";
  EXPECT_EQ(event_after(2, 0), 0x010100) << "nothing new";
  EXPECT_EQ(event_after(3, 1), 0x010100) << "head of an empty queue";
  EXPECT_EQ(event_after(3, 8), 0x010100);
  EXPECT_EQ(host.status(q, Command::make(0x00, 1)), 0) << "the queue is as it was";
}

TEST_F(QueuesTest, DoorbellStride) {
  Config config = TestHost::quick();
  config.doorbell_stride = 2;
  TestHost wide(config);
  const auto ring = [&](uint32_t index, uint32_t value) {
    wide.device.bar_write(0, 0x1000 + 16ULL * index, value, 4);
  };
  Command get = Command::make(0x0A).set(10, 7).cid(9);
  std::memcpy(wide.at(wide.admin.sq), get.dw.data(), 64);
  ring(0, 1);
  EXPECT_EQ(wide.get<uint16_t>(wide.admin.cq + 12), 9);
  std::memcpy(wide.at(wide.admin.sq + 64), get.dw.data(), 64);
  wide.device.doorbells()[0] = 2;
  wide.device.rung(0);
  EXPECT_EQ(wide.get<uint16_t>(wide.admin.cq + 28), 9) << "as plain memory";
}

TEST_F(QueuesTest, NumberOfQueuesLimitsThem) {
  Completion c = host.run(Command::make(0x09).set(10, 7).set(11, 3 << 16 | 1));
  EXPECT_EQ(c.status(), 0);
  EXPECT_EQ(c.cdw0(), 0x00030001u);
  ASSERT_EQ(host.status(cq(4)), 0);
  EXPECT_EQ(host.status(cq(5)), 0x101);
  EXPECT_EQ(host.status(sq(3, 4)), 0x101);
  EXPECT_EQ(host.status(sq(2, 4)), 0);
  EXPECT_EQ(host.status(Command::make(0x09).set(10, 7).set(11, 0)), 0x00C) << "queues exist";
  host.disable();
  host.enable();
  EXPECT_EQ(host.run(Command::make(0x0A).set(10, 7)).cdw0(), 0x000F000Fu);
  EXPECT_EQ(host.run(Command::make(0x09).set(10, 7).set(11, 0xFFFEFFFE)).cdw0(), 0x000F000Fu);
  EXPECT_EQ(host.status(Command::make(0x09).set(10, 7).set(11, 0x0000FFFF)), 0x002);
  EXPECT_EQ(host.status(Command::make(0x09).set(10, 7).set(11, 0xFFFF0000)), 0x002);
}

}  // namespace
}  // namespace pynvme::ssd::testing
