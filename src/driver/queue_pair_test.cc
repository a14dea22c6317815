// The hot path against a device of a few lines: rings and doorbells in plain memory.
#include "driver/queue_pair.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/log.h"
#include "base/rng.h"
#include "driver/errors.h"

namespace pynvme::driver {
namespace {

constexpr uint16_t kId = 3;

// Fetches SQEs as hardware does and posts what the test says.
struct Device {
  explicit Device(uint32_t count) : entries(count), sq(count), cq(count), doorbells(8) {}

  pcie::Doorbells wires() {
    return {.base = doorbells.data(),
            .stride_bytes = 4,
            .rung = [](void* self,
                       uint32_t index) { static_cast<Device*>(self)->rung.push_back(index); },
            .poll = [](void* self) { ++static_cast<Device*>(self)->polls; },
            .device = this};
  }
  std::vector<spec::Sqe> fetch() {
    std::vector<spec::Sqe> fetched;
    for (; head != doorbells[2 * kId]; head = (head + 1) % entries) fetched.push_back(sq[head]);
    return fetched;
  }
  void post(uint16_t cid, uint16_t sqid = kId, uint16_t sqhd = 0, uint16_t status = 0) {
    cq[tail] = {0x1234, 0, sqhd, sqid, cid, spec::with_phase(status, phase)};
    if (++tail == entries) {
      tail = 0;
      phase = !phase;
    }
  }

  uint32_t entries;
  std::vector<spec::Sqe> sq;
  std::vector<spec::Cqe> cq;
  std::vector<uint32_t> doorbells;
  std::vector<uint32_t> rung;
  uint32_t polls = 0;
  uint32_t head = 0;
  uint32_t tail = 0;
  bool phase = true;
};

struct Rig {
  explicit Rig(uint32_t entries)
      : device(entries),
        pair(SubmissionQueue(kId, entries, {device.sq.data(), 0}, device.wires()),
             CompletionQueue(kId, entries, {device.cq.data(), 0}, device.wires()), clock) {}

  uint32_t submit(uint8_t opcode = 2) {
    spec::Sqe sqe{};
    sqe.opcode = opcode;
    return pair.submit(sqe);
  }
  std::vector<uint16_t> reap(unsigned max = UINT32_MAX) {
    std::vector<uint16_t> cids;
    pair.reap(
        max, [&](uint16_t cid, const spec::Cqe&, uint64_t) { cids.push_back(cid); },
        [&](uint16_t cid) { late.push_back(cid); });
    return cids;
  }

  base::Clock clock = base::Clock::manual(1000);
  Device device;
  QueuePair pair;
  std::vector<uint16_t> late;
};

using Cids = std::vector<uint16_t>;

TEST(QueuePairTest, HotFieldsOfTheTwoSidesLieInDifferentLines) {
  EXPECT_EQ(sizeof(SubmissionQueue), kCacheLine);
  EXPECT_EQ(sizeof(CompletionQueue), kCacheLine);
  EXPECT_EQ(alignof(QueuePair), kCacheLine);
}

TEST(QueuePairTest, AnEntryThatOvertakesTheOneBeforeItIsReported) {
  for (const uint32_t before : {0U, 2U}) {  // in the middle of the ring, and at its end
    Rig rig(4);
    for (uint32_t i = 0; i <= before; ++i) {
      rig.device.post(static_cast<uint16_t>(rig.submit()));
      rig.pair.ring();
      ASSERT_EQ(rig.reap().size(), 1U);
    }
    base::drain_log();
    const auto first = static_cast<uint16_t>(rig.submit());
    const auto second = static_cast<uint16_t>(rig.submit());
    rig.pair.ring();
    const uint32_t stuck = rig.device.tail;
    rig.device.post(first);
    rig.device.cq[stuck].status ^= 1;
    rig.pair.expire(UINT64_MAX - 1, 1, [](uint16_t) {});
    EXPECT_TRUE(base::drain_log().empty()) << "nothing is behind it";
    rig.submit();
    rig.pair.ring();
    rig.device.post(second);
    rig.pair.expire(UINT64_MAX - 1, 1, [](uint16_t) {});
    const auto lines = base::drain_log();
    ASSERT_EQ(lines.size(), 1U);
    EXPECT_EQ(lines[0].text, "completion queue 3: entry " + std::to_string(stuck) +
                                 " is not new, and entry " + std::to_string((stuck + 1) % 4) +
                                 " behind it is: a phase bit was not toggled, and no completion "
                                 "behind it can be seen before a reset");
  }
}

TEST(QueuePairTest, WrapsAndFlipsThePhaseAtEveryDepth) {
  for (uint32_t entries = 2; entries <= 1024; ++entries) {
    Rig rig(entries);
    // Batches of uneven size, until both rings went round more than twice.
    uint32_t done = 0;
    for (uint32_t batch = 1; done < 2 * entries + 3; ++batch) {
      const uint32_t count = std::min(1 + batch % 7, entries - 1);
      for (uint32_t i = 0; i < count; ++i) ASSERT_NE(rig.submit(), QueuePair::kFull);
      rig.pair.ring();
      const auto fetched = rig.device.fetch();
      ASSERT_EQ(fetched.size(), count) << entries;
      for (const auto& sqe : fetched) rig.device.post(sqe.cid);
      ASSERT_EQ(rig.reap().size(), count) << entries;
      ASSERT_EQ(rig.device.doorbells[2 * kId + 1], rig.device.tail) << entries;
      done += count;
    }
    ASSERT_EQ(rig.pair.used(), 0U);
    ASSERT_EQ(rig.pair.anomalies(), 0U);
    ASSERT_TRUE(rig.reap().empty());
  }
}

TEST(QueuePairTest, HoldsOneCommandLessThanItHasEntriesAndLosesNothingWhenFull) {
  for (const uint32_t entries : {2U, 3U, 16U, 1024U}) {
    Rig rig(entries);
    for (uint32_t i = 0; i < entries - 1; ++i) EXPECT_EQ(rig.submit(), i);
    EXPECT_EQ(rig.submit(), QueuePair::kFull);
    EXPECT_EQ(rig.pair.next_cid(), QueuePair::kFull);
    EXPECT_EQ(rig.pair.room(), 0U);
    rig.pair.ring();
    const auto fetched = rig.device.fetch();
    ASSERT_EQ(fetched.size(), entries - 1);
    for (uint32_t i = 0; i < fetched.size(); ++i) EXPECT_EQ(fetched[i].cid, i);
    rig.device.post(0);
    EXPECT_EQ(rig.reap(), Cids{0});
    EXPECT_EQ(rig.submit(), 0U);
  }
}

TEST(QueuePairTest, RingsOneDoorbellPerBatchAndStampsTheTimeThere) {
  Rig rig(8);
  rig.submit();
  rig.clock.advance(500);
  rig.submit();
  EXPECT_EQ(rig.device.doorbells[2 * kId], 0U);
  rig.clock.advance(500);
  EXPECT_EQ(rig.pair.ring(), 2000U);
  EXPECT_EQ(rig.device.doorbells[2 * kId], 2U);
  EXPECT_EQ(rig.device.rung, (std::vector<uint32_t>{2 * kId}));
  EXPECT_EQ(rig.pair.ring(), 0U);  // nothing new: no doorbell
  rig.device.post(1);
  rig.device.post(0);
  rig.clock.advance(300);
  std::vector<uint64_t> latencies;
  rig.pair.reap(UINT32_MAX, [&](uint16_t, const spec::Cqe&, uint64_t latency_ns) {
    latencies.push_back(latency_ns);
  });
  EXPECT_EQ(latencies, (std::vector<uint64_t>{300, 300}));
  EXPECT_EQ(rig.device.rung, (std::vector<uint32_t>{2 * kId, 2 * kId + 1}));
}

TEST(QueuePairTest, CompletesOutOfOrder) {
  Rig rig(64);
  base::Rng rng(7);
  std::vector<uint16_t> outstanding;
  for (int round = 0; round < 500; ++round) {
    while (rig.pair.room() != 0) outstanding.push_back(static_cast<uint16_t>(rig.submit()));
    rig.pair.ring();
    rig.device.fetch();
    Cids chosen;
    for (uint64_t n = 1 + rng.below(outstanding.size()); n > 0; --n) {
      const auto at =
          outstanding.begin() + static_cast<std::ptrdiff_t>(rng.below(outstanding.size()));
      chosen.push_back(*at);
      outstanding.erase(at);
      rig.device.post(chosen.back());
    }
    ASSERT_EQ(rig.reap(), chosen);
  }
  EXPECT_EQ(rig.pair.anomalies(), 0U);
}

TEST(QueuePairTest, TakesNoMoreThanAsked) {
  Rig rig(8);
  for (int i = 0; i < 5; ++i) rig.submit();
  rig.pair.ring();
  for (uint16_t cid = 0; cid < 5; ++cid) rig.device.post(cid);
  EXPECT_EQ(rig.reap(2), (Cids{0, 1}));
  EXPECT_EQ(rig.device.doorbells[2 * kId + 1], 2U);
  EXPECT_EQ(rig.reap(), (Cids{2, 3, 4}));
}

TEST(QueuePairTest, AHandlerMaySubmitIntoTheSlotThatWasJustFreed) {
  Rig rig(2);
  rig.submit();
  rig.pair.ring();
  rig.device.post(0);
  uint32_t next = QueuePair::kFull;
  rig.pair.reap(1, [&](uint16_t, const spec::Cqe&, uint64_t) { next = rig.submit(); });
  EXPECT_EQ(next, 0U);
  EXPECT_EQ(rig.pair.used(), 1U);
}

TEST(QueuePairTest, PollsTheDeviceOnceWhenNothingIsThere) {
  Rig rig(4);
  EXPECT_TRUE(rig.reap().empty());
  EXPECT_EQ(rig.device.polls, 1U);
  rig.submit();
  rig.pair.ring();
  rig.device.post(0);
  EXPECT_EQ(rig.reap(), Cids{0});
  EXPECT_EQ(rig.device.polls, 1U);
}

TEST(QueuePairTest, ReportsAnUnknownCidAndFollowsNothing) {
  base::drain_log();
  Rig rig(4);
  rig.submit();
  rig.pair.ring();
  for (const uint16_t cid : {uint16_t{3}, uint16_t{0xFFFF}}) {
    rig.device.post(cid);
    EXPECT_TRUE(rig.reap().empty());
    EXPECT_EQ(rig.pair.last_anomaly().kind, AnomalyKind::kUnknownCid);
    EXPECT_EQ(rig.pair.last_anomaly().cqe.cid, cid);
  }
  EXPECT_EQ(rig.pair.anomalies(), 2U);
  EXPECT_EQ(rig.pair.used(), 1U);
  EXPECT_EQ(base::drain_log().size(), 2U);
  rig.device.post(0);
  EXPECT_EQ(rig.reap(), Cids{0});
}

TEST(QueuePairTest, ReportsACommandThatWasNeverRung) {
  Rig rig(4);
  rig.submit();
  rig.device.post(0);
  EXPECT_TRUE(rig.reap().empty());
  EXPECT_EQ(rig.pair.last_anomaly().kind, AnomalyKind::kUnknownCid);
  rig.pair.ring();
  rig.device.post(0);
  EXPECT_EQ(rig.reap(), Cids{0});
}

TEST(QueuePairTest, ReportsARepeatedCid) {
  Rig rig(8);
  rig.submit();
  rig.submit();
  rig.pair.ring();
  rig.device.post(0);
  rig.device.post(0);
  rig.device.post(1);
  EXPECT_EQ(rig.reap(), (Cids{0, 1}));
  EXPECT_EQ(rig.pair.anomalies(), 1U);
  EXPECT_EQ(rig.pair.last_anomaly().kind, AnomalyKind::kRepeatedCid);
  EXPECT_EQ(rig.pair.room(), 7U);
  // The free list was not corrupted: seven different CIDs.
  Cids cids;
  while (rig.pair.room() != 0) cids.push_back(static_cast<uint16_t>(rig.submit()));
  std::sort(cids.begin(), cids.end());
  EXPECT_EQ(cids, (Cids{0, 1, 2, 3, 4, 5, 6}));
}

TEST(QueuePairTest, ReportsAForeignSqid) {
  Rig rig(4);
  rig.submit();
  rig.pair.ring();
  rig.device.post(0, kId + 1);
  EXPECT_TRUE(rig.reap().empty());
  EXPECT_EQ(rig.pair.last_anomaly().kind, AnomalyKind::kForeignSqid);
  EXPECT_TRUE(rig.pair.outstanding(0));
}

TEST(QueuePairTest, ReportsAnSqHeadOutsideTheQueueButCompletes) {
  Rig rig(4);
  rig.submit();
  rig.pair.ring();
  rig.device.post(0, kId, 4);
  EXPECT_EQ(rig.reap(), Cids{0});
  EXPECT_EQ(rig.pair.last_anomaly().kind, AnomalyKind::kBadSqhd);
}

TEST(QueuePairTest, SurvivesGarbageInTheCompletionQueue) {
  base::Rng rng(11);
  for (int round = 0; round < 200; ++round) {
    Rig rig(16);
    for (int i = 0; i < 10; ++i) rig.submit();
    rig.pair.ring();
    for (auto& cqe : rig.device.cq) {
      const uint64_t words[2] = {rng.next(), rng.next()};
      std::memcpy(&cqe, words, sizeof(cqe));
    }
    for (int i = 0; i < 8; ++i) rig.reap();
    EXPECT_LE(rig.pair.used(), 10U);
  }
  base::drain_log();
}

TEST(QueuePairTest, AnAbandonedSlotIsNotUsedUntilItsCompletionComes) {
  Rig rig(3);
  rig.submit();
  rig.pair.ring();
  rig.clock.advance(999);
  Cids expired;
  const auto expire = [&] {
    rig.pair.expire(rig.clock.now_ns(), 1000, [&](uint16_t cid) { expired.push_back(cid); });
  };
  expire();
  EXPECT_TRUE(expired.empty());
  rig.clock.advance(1);
  expire();
  expire();
  EXPECT_EQ(expired, Cids{0});
  EXPECT_EQ(rig.pair.abandoned(), 1U);
  EXPECT_EQ(rig.submit(), 1U);
  EXPECT_EQ(rig.submit(), QueuePair::kFull);
  rig.device.post(0);
  EXPECT_TRUE(rig.reap().empty());
  EXPECT_EQ(rig.late, Cids{0});
  EXPECT_EQ(rig.pair.abandoned(), 0U);
  EXPECT_EQ(rig.pair.anomalies(), 0U);
  EXPECT_EQ(rig.submit(), 0U);
}

TEST(QueuePairTest, NeverExpiresIsLeftAlone) {
  Rig rig(4);
  rig.submit();
  rig.pair.ring();
  rig.pair.never_expires(0);
  EXPECT_EQ(rig.pair.expire(UINT64_MAX, 1, [](uint16_t) {}), 0U);
  rig.device.post(0);
  EXPECT_EQ(rig.reap(), Cids{0});
}

TEST(QueuePairTest, ResetForgetsEverything) {
  Rig rig(4);
  rig.submit();
  rig.submit();
  rig.pair.ring();
  rig.device.post(0);
  rig.reap();
  rig.pair.kill("a reset");
  EXPECT_TRUE(rig.pair.dead());
  EXPECT_STREQ(rig.pair.death(), "a reset");
  rig.pair.reset();
  rig.device.head = rig.device.tail = 0;
  EXPECT_FALSE(rig.pair.dead());
  EXPECT_EQ(rig.pair.used(), 0U);
  EXPECT_TRUE(rig.reap().empty());
  EXPECT_EQ(rig.submit(), 0U);
  rig.pair.ring();
  EXPECT_EQ(rig.device.doorbells[2 * kId], 1U);
  rig.device.post(0);
  EXPECT_EQ(rig.reap(), Cids{0});
}

TEST(QueuePairTest, TheLogFollowsEachCommand) {
  Rig rig(4);
  rig.submit(1);
  rig.submit(2);
  auto log = rig.pair.cmdlog()->latest();
  ASSERT_EQ(log.size(), 2U);
  EXPECT_EQ(log[0].submit_ns, 0U);
  rig.pair.ring();
  rig.clock.advance(50);
  rig.device.post(1, kId, 2, spec::make_status(0, 2));
  rig.reap();
  rig.pair.expire(5000, 1, [](uint16_t) {});
  log = rig.pair.cmdlog()->latest();
  EXPECT_EQ(log[0].sqe.opcode, 1);
  EXPECT_EQ(log[0].state, CommandState::kTimedOut);
  EXPECT_EQ(log[1].state, CommandState::kCompleted);
  EXPECT_EQ(log[1].submit_ns, 1000U);
  EXPECT_EQ(log[1].complete_ns, 1050U);
  EXPECT_EQ(log[1].cqe.sc(), 2);
  EXPECT_EQ(log[1].sqe.cid, 1);
}

TEST(QueueTest, RefusesWhatCannotBeAQueue) {
  Device device(4);
  EXPECT_THROW(SubmissionQueue(1, 1, {device.sq.data(), 0}, device.wires()), InvalidArgument);
  EXPECT_THROW(CompletionQueue(1, 0, {device.cq.data(), 0}, device.wires()), InvalidArgument);
  EXPECT_THROW(SubmissionQueue(1, 4, {}, device.wires()), InvalidArgument);
}

}  // namespace
}  // namespace pynvme::driver
