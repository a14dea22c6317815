#include "ioworker/workload.h"

#include <functional>
#include <string>

#include <gtest/gtest.h>

#include "spec/opcode.h"

namespace pynvme::ioworker {
namespace {

const Limits kLimits{
    .lba_count = 10000, .lba = {}, .mdts_bytes = 128 * 1024, .max_queue_entries = 1024};

Workload valid() {
  Workload w;
  w.time_s = 1;
  return w;
}

std::string refusal(const std::function<void(Workload&)>& change) {
  Workload w = valid();
  change(w);
  try {
    validate(w, kLimits);
  } catch (const driver::InvalidArgument& error) {
    return error.what();
  }
  return "";
}

TEST(Workload, DefaultsNeedOnlyAnEnd) {
  EXPECT_EQ(refusal([](Workload& w) { w.time_s = 0; }), "");
  Workload w;
  EXPECT_THROW(require_end(w), driver::InvalidArgument);
  w.io_count = 1;
  EXPECT_NO_THROW(require_end(w));
  w.io_count = 0;
  w.time_s = 1;
  EXPECT_NO_THROW(require_end(w));
  w.time_s = 0;
  w.lba_random = 0;
  EXPECT_NO_THROW(require_end(w));
  w.lba_step = 0;
  EXPECT_THROW(require_end(w), driver::InvalidArgument);
}

TEST(Workload, MessagesNameTheValueAndTheBound) {
  EXPECT_EQ(refusal([](Workload& w) { w.qdepth = 0; }), "ioworker: qdepth is 0, must be 1..1024");
  EXPECT_EQ(refusal([](Workload& w) { w.qdepth = 1025; }),
            "ioworker: qdepth is 1025, must be 1..1024");
  EXPECT_EQ(refusal([](Workload& w) {
              w.io_size = {{0, 1}};
            }),
            "ioworker: io_size is 0, must be 1..65536");
  EXPECT_EQ(refusal([](Workload& w) { w.region_start = w.region_end = 5; }),
            "ioworker: region_start is 5, must be below region_end 5");
  EXPECT_EQ(refusal([](Workload& w) { w.region_start = 10000; }),
            "ioworker: region_start is 10000, but the namespace has only 10000 LBAs");
  EXPECT_EQ(refusal([](Workload& w) { w.region_end = 7; }),
            "ioworker: io_size 8 is larger than the region, which has 7 LBAs");
  EXPECT_EQ(refusal([](Workload& w) { w.read_percentage = 101; }),
            "ioworker: read_percentage is 101, must be 0..100");
  EXPECT_EQ(refusal([](Workload& w) {
              w.op_percentage = {{2, 60}, {1, 30}};
            }),
            "ioworker: the sum of op_percentage is 90, must be 100..100");
  EXPECT_EQ(refusal([](Workload& w) { w.distribution.assign(100, 99); }),
            "ioworker: the sum of distribution is 9900, must be 10000..10000");
  EXPECT_EQ(refusal([](Workload& w) { w.qprio = 4; }), "ioworker: qprio is 4, must be 0..3");
  EXPECT_EQ(refusal([](Workload& w) { w.iops = -1; }),
            "ioworker: iops is -1, must be 0..1000000000");
}

TEST(Workload, RefusesWhatCannotWork) {
  EXPECT_NE(refusal([](Workload& w) { w.time_s = 3'600'001; }), "");
  EXPECT_NE(refusal([](Workload& w) { w.time_s = -1; }), "");
  EXPECT_NE(refusal([](Workload& w) { w.io_size.clear(); }), "");
  EXPECT_NE(refusal([](Workload& w) { w.io_size = {{8, 0}}; }), "");
  EXPECT_NE(refusal([](Workload& w) { w.lba_align = {0}; }), "");
  EXPECT_NE(refusal([](Workload& w) { w.lba_align = {8, 8}; }), "");
  EXPECT_NE(refusal([](Workload& w) {
              w.lba_align = {64};
              w.region_start = 1;
              w.region_end = 71;
            }),
            "");
  EXPECT_NE(refusal([](Workload& w) { w.distribution.assign(99, 100); }), "");
  EXPECT_NE(refusal([](Workload& w) {
              w.distribution.assign(100, 100);
              w.lba_random = 0;
            }),
            "");
  EXPECT_NE(refusal([](Workload& w) { w.ptype = 1; }), "");
  EXPECT_NE(refusal([](Workload& w) { w.pvalue = 101; }), "");
  EXPECT_NE(refusal([](Workload& w) { w.op_percentage = {{2, 50}, {2, 50}}; }), "");
  EXPECT_NE(refusal([](Workload& w) { w.io_sequence = {{5, 2, 0, 8}, {4, 2, 0, 8}}; }), "");
}

TEST(Workload, TheBoundsThemselvesAreAllowed) {
  EXPECT_EQ(refusal([](Workload& w) { w.time_s = 3'600'000; }), "");
  EXPECT_EQ(refusal([](Workload& w) { w.qdepth = 1024; }), "");
  EXPECT_EQ(refusal([](Workload& w) { w.qdepth = 1; }), "");
  EXPECT_EQ(refusal([](Workload& w) { w.io_size = {{256, 1}}; }), "");
  EXPECT_EQ(refusal([](Workload& w) { w.region_start = 9992; }), "");
  EXPECT_EQ(refusal([](Workload& w) { w.lba_start = 99999; }), "");
}

TEST(Workload, MoreThanMdtsIsAnErrorOfItsOwn) {
  Workload w = valid();
  w.io_size = {{8, 1}, {257, 1}};
  EXPECT_THROW(validate(w, kLimits), IoSizeError);
  // Commands without data are not bound by MDTS.
  w.op_percentage = {{spec::io::kWriteZeroes, 100}};
  EXPECT_NO_THROW(validate(w, kLimits));
  w.io_size = {{8, 1}};
  w.op_percentage.clear();
  w.io_sequence = {{0, spec::io::kRead, 0, 300}};
  EXPECT_THROW(validate(w, kLimits), IoSizeError);
}

TEST(Workload, OnePassIsSequentialOfOneSizeWithoutTimeAndCount) {
  Workload w;
  EXPECT_FALSE(is_one_pass(w));
  w.lba_random = 0;
  EXPECT_TRUE(is_one_pass(w));
  w.io_count = 5;
  EXPECT_FALSE(is_one_pass(w));
  w.io_count = 0;
  w.io_size = {{8, 1}, {16, 1}};
  EXPECT_FALSE(is_one_pass(w));
}

TEST(Workload, TheQueueHasOneEntryMoreThanItsDepthUpToTheLimit) {
  Workload w;
  w.qdepth = 1;
  EXPECT_EQ(queue_entries(w, kLimits), 2U);
  w.qdepth = 32;
  EXPECT_EQ(queue_entries(w, kLimits), 33U);
  w.qdepth = 1024;
  EXPECT_EQ(queue_entries(w, kLimits), 1024U);
}

TEST(Workload, TransfersFollowFromTheOpcode) {
  EXPECT_EQ(transfer_bytes(spec::io::kRead, 8, {}), 4096U);
  EXPECT_EQ(transfer_bytes(spec::io::kWrite, 2, {.data_bytes = 4096}), 8192U);
  EXPECT_EQ(transfer_bytes(spec::io::kWriteZeroes, 8, {}), 0U);
  EXPECT_EQ(transfer_bytes(spec::io::kFlush, 0, {}), 0U);
  EXPECT_EQ(transfer_bytes(spec::io::kDatasetManagement, 60000, {}), 16U);
}

}  // namespace
}  // namespace pynvme::ioworker
