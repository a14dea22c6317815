// Media in a file: what outlives the process, and which files are refused.
#include "ssd/media/media_file.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <string>

#include <gtest/gtest.h>

#include "ssd/media/media.h"
#include "ssd/media/media_test_util.h"

namespace pynvme::ssd {
namespace {

class MediaFileTest : public testing::Test {
 protected:
  MediaFileTest() : path_(testing::TempDir() + "pynvme_media_file_" + std::to_string(getpid())) {}
  ~MediaFileTest() override {
    std::remove(path_.c_str());
    std::remove((path_ + ".1").c_str());
  }

  Media::Geometry geometry() const { return {1ULL << 30, 512, 1 << 20, path_, 0}; }
  std::string error_of(const Media::Geometry& geometry) const {
    try {
      Media media(geometry);
    } catch (const std::runtime_error& error) {
      std::string text = error.what();
      const std::string start =
          "the embedded SSD cannot use the media file " + geometry.file + ": ";
      EXPECT_EQ(text.substr(0, start.size()), start);
      return text.substr(std::min(text.size(), start.size()));
    }
    return "";
  }
  std::string content() const {
    std::ifstream stream(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
  }
  void overwrite(std::streamoff offset, const std::string& bytes) const {
    std::fstream stream(path_, std::ios::binary | std::ios::in | std::ios::out);
    stream.seekp(offset);
    stream << bytes;
  }
  uint64_t disk_bytes() const {
    struct stat status {};
    stat(path_.c_str(), &status);
    return static_cast<uint64_t>(status.st_blocks) * 512;
  }

  std::string path_;
};

TEST_F(MediaFileTest, KeepsTheMediaAndTheFormat) {
  {
    Media media(geometry());
    write_value(media, 0, 9, 1, false);
    write_value(media, 2'000'000, 1, 2, true);
    media.write_uncorrectable(3, 1, false);
    media.write_zeroes(100, 1, false);
    media.persistent_area()[5] = 77;
  }
  {
    Media media(geometry());
    EXPECT_EQ(read_values(media, 0, 10), (std::vector<int>{1, 1, 1, -1, 1, 1, 1, 1, 1, 0}));
    EXPECT_EQ(read_value(media, 2'000'000), 2);
    EXPECT_EQ(media.allocated_lbas(), 11U);
    EXPECT_EQ(media.unflushed_bytes(), 0U);
    ASSERT_EQ(media.persistent_area().size(), 4096U);
    EXPECT_EQ(media.persistent_area()[5], 77);
    write_value(media, 1, 1, 6, false);
    media.power_lost();
    EXPECT_EQ(read_value(media, 1), 1);
    media.format(4096);
    write_value(media, 7, 1, 8, false);
  }
  Media media(geometry());
  EXPECT_EQ(media.lba_bytes(), 4096U);
  EXPECT_EQ(media.allocated_lbas(), 1U);
  EXPECT_EQ(read_values(media, 6, 3), (std::vector<int>{0, 8, 0}));
}

TEST_F(MediaFileTest, PowerLossIsInTheFileToo) {
  {
    Media media(geometry());
    write_value(media, 0, 8, 1, false);
    media.flush();
    write_value(media, 0, 1, 2, false);
    write_value(media, 50, 1, 3, false);
    media.power_lost();
  }
  Media media(geometry());
  EXPECT_EQ(read_value(media, 0), 1);
  EXPECT_EQ(read_value(media, 50), 0);
  EXPECT_EQ(media.allocated_lbas(), 8U);
}

TEST_F(MediaFileTest, TakesDiskOnlyForWhatWasWritten) {
  Media::Geometry large = geometry();
  large.bytes = 256'000'000'000;
  Media media(large);
  write_value(media, 0, 1, 1, false);
  write_value(media, 499'999'999, 1, 1, false);
  EXPECT_LT(disk_bytes(), 4U << 20);
  media.flush();
  media.format(512);
  EXPECT_LT(disk_bytes(), 1U << 20);
  write_value(media, 499'999'999, 1, 9, false);
  EXPECT_EQ(read_value(media, 499'999'999), 9);
}

TEST_F(MediaFileTest, SurvivesAKilledProcess) {
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    try {
      Media media(geometry());
      write_value(media, 0, 64, 1, false);
      media.flush();
      for (uint64_t round = 0;; ++round) {
        write_value(media, 8 * (round % 1000), 8, static_cast<uint8_t>(2 + round % 200), false);
        if (round == 5000 && write(ready[1], "x", 1) != 1) _exit(2);
      }
    } catch (...) {
      _exit(1);
    }
  }
  close(ready[1]);
  char byte = 0;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  close(ready[0]);
  kill(child, SIGKILL);
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));

  Media media(geometry());
  EXPECT_EQ(media.allocated_lbas(), 8000U);
  for (uint64_t unit = 0; unit < 1000; ++unit) {
    const std::vector<int> values = read_values(media, unit * 8, 8);
    EXPECT_GE(values[0], 2);
    EXPECT_EQ(values, std::vector<int>(8, values[0])) << "unit " << unit;
  }
  // No frame was lost or is in two hands.
  for (uint64_t unit = 1000; unit < 3000; ++unit) write_value(media, unit * 8, 8, 1, false);
  EXPECT_EQ(media.allocated_lbas(), 24000U);
  EXPECT_GE(read_value(media, 0), 2);
}

TEST_F(MediaFileTest, SecondOpenerIsRefused) {
  Media media(geometry());
  write_value(media, 0, 1, 1, false);
  EXPECT_EQ(
      error_of(geometry()),
      "another embedded SSD has it in use, in this process or in another one; close that first");
  EXPECT_EQ(read_value(media, 0), 1);
}

TEST_F(MediaFileTest, EachNamespaceHasAFileOfItsOwn) {
  Media first(geometry());
  Media::Geometry other = geometry();
  other.file_offset_id = 1;
  Media second(other);
  write_value(first, 0, 1, 1, false);
  EXPECT_EQ(read_value(second, 0), 0);
  EXPECT_EQ(access((path_ + ".1").c_str(), F_OK), 0);
}

TEST_F(MediaFileTest, OtherGeometryIsRefusedAndTheFileLeftAsItWas) {
  {
    Media media(geometry());
    write_value(media, 0, 1, 1, false);
  }
  const std::string before = content();
  Media::Geometry other = geometry();
  other.bytes = 2ULL << 30;
  EXPECT_EQ(
      error_of(other),
      "it was made for 1073741824 bytes a namespace with lba=512, not for 2147483648 bytes with "
      "lba=512; give the same capacity, namespaces and lba as then, or name another file");
  other = geometry();
  other.lba_bytes = 4096;
  EXPECT_NE(error_of(other).find("not for 1073741824 bytes with lba=4096"), std::string::npos);
  EXPECT_EQ(content(), before);
  EXPECT_EQ(error_of(geometry()), "");
}

TEST_F(MediaFileTest, ForeignFileIsRefusedAndLeftAsItWas) {
  std::ofstream(path_) << "my thesis";
  EXPECT_EQ(error_of(geometry()),
            "it is no pynvme media file; name another, or delete it if it is not needed");
  EXPECT_EQ(content(), "my thesis");
  Media::Geometry other = geometry();
  other.file = "/dev/null";
  EXPECT_EQ(error_of(other), "it is not a regular file");
  other.file = "/nowhere/at/all";
  EXPECT_EQ(error_of(other), "it could not be opened: No such file or directory");
}

TEST_F(MediaFileTest, DamagedFileIsRefusedAndLeftAsItWas) {
  constexpr std::streamoff kMap = 8192;
  {
    Media media(geometry());
    write_value(media, 0, 8, 1, false);
    write_value(media, 8, 8, 2, false);
  }
  const std::string good = content();
  const auto refused = [&](std::streamoff offset, const std::string& bytes) {
    overwrite(offset, bytes);
    const std::string damaged = content();
    const std::string error = error_of(geometry());
    EXPECT_EQ(content(), damaged);
    overwrite(0, good.substr(0, 16384));
    return error;
  };
  EXPECT_EQ(refused(16, std::string(1, 9)), "its layout is version 9, this pynvme knows version 1");
  EXPECT_EQ(refused(24, std::string(1, 9)), "its header is damaged");
  EXPECT_EQ(refused(kMap, std::string("\xFF\xFF\xFF\x00", 4)),
            "it is damaged or truncated: the map's entry 0 names frame 16777215 of 512");
  EXPECT_EQ(refused(kMap + 8, good.substr(kMap, 8)),
            "it is damaged or truncated: the map's entry 1 names a frame that another one has");
  EXPECT_EQ(refused(kMap + 5, std::string(1, 0)),
            "it is damaged or truncated: the map's entry 0 is not a possible one");
  EXPECT_EQ(refused(kMap + 4096, std::string(1, 1)),
            "it is damaged or truncated: the map's entry 512 is not a possible one");

  const uint64_t frames_at = kMap + (1ULL << 30) / 4096 * 8;
  ASSERT_EQ(truncate(path_.c_str(), static_cast<off_t>(frames_at + 8192)), 0);
  EXPECT_EQ(error_of(geometry()),
            "it is damaged or truncated: the map's entry 1 names frame 2 of 2");
  ASSERT_EQ(truncate(path_.c_str(), 10'000), 0);
  EXPECT_EQ(error_of(geometry()), "it is truncated: 10000 bytes of at least 2105344");
  ASSERT_EQ(truncate(path_.c_str(), 10), 0);
  EXPECT_EQ(error_of(geometry()),
            "it is no pynvme media file; name another, or delete it if it is not needed");
}

// A limit on the file's size stands in for a disk that is full.
TEST_F(MediaFileTest, FullDiskIsAnErrorAndTheMediaGoOn) {
  signal(SIGXFSZ, SIG_IGN);
  rlimit old{};
  getrlimit(RLIMIT_FSIZE, &old);
  Media media(geometry());
  write_value(media, 0, 8, 1, true);
  rlimit limit = old;
  limit.rlim_cur = 8 << 20;
  setrlimit(RLIMIT_FSIZE, &limit);
  uint64_t written = 1;
  std::string error;
  try {
    for (;; ++written) write_value(media, written * 8, 8, 2, true);
  } catch (const std::runtime_error& caught) {
    error = caught.what();
  }
  setrlimit(RLIMIT_FSIZE, &old);
  EXPECT_NE(error.find("the disk gives it no more space (2048 KiB): File too large"),
            std::string::npos)
      << error;
  EXPECT_GT(written, 500U);
  EXPECT_EQ(media.allocated_lbas(), written * 8);
  EXPECT_EQ(read_value(media, (written - 1) * 8), 2);
  EXPECT_EQ(read_value(media, written * 8), 0);
  write_value(media, written * 8, 8, 3, true);
  EXPECT_EQ(read_value(media, written * 8), 3);
}

}  // namespace
}  // namespace pynvme::ssd
