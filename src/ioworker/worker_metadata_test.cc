// IOWorkers on LBAs with metadata, behind the data or apart, with and without protection
// information.
#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "ioworker/fake_device.h"
#include "ioworker/worker.h"
#include "verify/stamp.h"

namespace pynvme::ioworker {
namespace {

struct Format {
  const char* name;
  driver::LbaLayout layout;
};

class WorkerMetadataTest : public testing::TestWithParam<Format> {
 protected:
  WorkerMetadataTest() {
    target_.limits.lba_count = kLbas;
    target_.limits.lba = layout_;
    integrity_->set_checking(true);
    target_.integrity = integrity_;
    workload_.qdepth = 8;
    device_.record = true;
  }

  const Result& run() {
    pair_ = device_.make_pair(queue_entries(workload_, target_.limits), clock_);
    worker_ = std::make_unique<Worker>(*pair_, workload_, target_, 11);
    while (worker_->step() != Worker::Progress::kDone) clock_.advance(1000);
    return worker_->result();
  }
  void fill() {
    const Workload saved = workload_;
    workload_ = Workload();
    workload_.lba_random = 0;
    workload_.read_percentage = 0;
    workload_.io_size = {{32, 1}};
    workload_.qdepth = 8;
    ASSERT_EQ(run().error, HostError::kNone) << worker_->result().detail;
    workload_ = saved;
  }

  static constexpr uint64_t kLbas = 1024;
  const driver::LbaLayout layout_ = GetParam().layout;
  FakeDevice device_{kLbas, layout_};
  base::Clock clock_ = base::Clock::manual(5'000'000'000);
  std::shared_ptr<verify::Integrity> integrity_ =
      std::make_shared<verify::Integrity>(kLbas, layout_.data_bytes);
  Workload workload_;
  Target target_;
  std::unique_ptr<driver::QueuePair> pair_;
  std::unique_ptr<Worker> worker_;
};

TEST_P(WorkerMetadataTest, EveryLbaHasItsDataAndMetadata) {
  fill();
  for (uint64_t lba = 0; lba < kLbas; ++lba) {
    ASSERT_EQ(verify::stamped_lba(device_.lba(lba)), lba);
    const std::vector<uint8_t> metadata(device_.metadata(lba),
                                        device_.metadata(lba) + layout_.metadata_bytes);
    std::vector<uint8_t> expected(layout_.metadata_bytes);
    if (layout_.protection != 0) expected[0] = expected[4] = static_cast<uint8_t>(lba);
    if (layout_.protection != 0) expected[1] = expected[5] = static_cast<uint8_t>(lba >> 8);
    ASSERT_EQ(metadata, expected) << lba;
  }
}

TEST_P(WorkerMetadataTest, MixedSizesRaiseNoAlarm) {
  fill();
  workload_.io_size = {{1, 1}, {7, 1}, {8, 1}, {33, 1}};
  workload_.read_percentage = 60;
  workload_.io_count = 3000;
  const Result& result = run();
  EXPECT_EQ(result.error, HostError::kNone) << result.detail;
  EXPECT_EQ(result.io_count_read, 1800U);
}

TEST_P(WorkerMetadataTest, FindsAFlippedBit) {
  fill();
  device_.lba(777)[100] ^= 4;
  workload_.io_size = {{5, 1}};
  workload_.lba_random = 0;
  const Result& result = run();
  EXPECT_EQ(result.error, HostError::kIoCommandError);
  EXPECT_NE(result.detail.find("LBA 0x309: the data are not what was written last"),
            std::string::npos)
      << result.detail;
  ASSERT_NE(result.miscompare, nullptr);
  const verify::Finding& finding = result.miscompare->finding;
  EXPECT_EQ(finding.damage, verify::Damage::kBitFlips);
  ASSERT_EQ(finding.flips.size(), 1U);
  EXPECT_EQ(finding.flips[0].byte, 100U);
  EXPECT_EQ(finding.flips[0].mask, 4);
}

TEST_P(WorkerMetadataTest, MetadataAreNotVerified) {
  fill();
  device_.metadata(777)[3] ^= 0xFF;
  workload_.io_count = 2000;
  EXPECT_EQ(run().error, HostError::kNone);
}

TEST_P(WorkerMetadataTest, CommandsCarryWhatTheirFormatWants) {
  workload_.op_percentage = {{spec::io::kRead, 40},
                             {spec::io::kWrite, 20},
                             {spec::io::kWriteZeroes, 20},
                             {spec::io::kVerify, 20}};
  workload_.io_count = 100;
  ASSERT_EQ(run().error, HostError::kNone) << worker_->result().detail;
  for (const spec::Sqe& sqe : device_.seen) {
    const bool transfers = sqe.opcode == spec::io::kRead || sqe.opcode == spec::io::kWrite;
    EXPECT_EQ(sqe.mptr != 0, transfers && layout_.separate_bytes(layout_.protection != 0) != 0);
    uint8_t prinfo = 0;
    if (layout_.protection != 0 && transfers) prinfo = layout_.protection == 3 ? 0xC : 0xD;
    if (layout_.protection != 0 && sqe.opcode == spec::io::kWriteZeroes) prinfo = 8;
    EXPECT_EQ(spec::io_prinfo(sqe.cdw12), prinfo) << int{sqe.opcode};
    const bool tagged = prinfo != 0 && layout_.protection != 3;
    EXPECT_EQ(sqe.cdw14, tagged ? static_cast<uint32_t>(sqe.slba()) : 0);
  }
}

TEST_P(WorkerMetadataTest, MdtsCountsWhatIsTransferredWithTheData) {
  target_.limits.mdts_bytes = 4096;
  workload_.io_size = {{8, 1}};
  if (layout_.stride(layout_.protection != 0) == layout_.data_bytes) {
    EXPECT_NO_THROW(validate(workload_, target_.limits));
  } else {
    EXPECT_THROW(validate(workload_, target_.limits), IoSizeError);
    workload_.io_size = {{7, 1}};
    EXPECT_NO_THROW(validate(workload_, target_.limits));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Formats, WorkerMetadataTest,
    testing::Values(Format{"Extended8", {.metadata_bytes = 8, .extended = true}},
                    Format{"Extended64", {.metadata_bytes = 64, .extended = true}},
                    Format{"Separate8", {.metadata_bytes = 8}},
                    Format{"Separate16", {.metadata_bytes = 16}},
                    Format{"ExtendedPi1", {.metadata_bytes = 8, .extended = true, .protection = 1}},
                    Format{"ExtendedPi3", {.metadata_bytes = 8, .extended = true, .protection = 3}},
                    Format{"ExtendedPiIn16",
                           {.metadata_bytes = 16, .extended = true, .protection = 1}},
                    Format{"SeparatePi1", {.metadata_bytes = 8, .protection = 1}},
                    Format{"SeparatePi2", {.metadata_bytes = 8, .protection = 2}},
                    Format{"SeparatePiIn16", {.metadata_bytes = 16, .protection = 1}}),
    [](const auto& each) { return std::string(each.param.name); });

}  // namespace
}  // namespace pynvme::ioworker
