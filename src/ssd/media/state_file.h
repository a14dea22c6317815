// What outlives the process beside the media: 256 KiB in a file next to the media's, mapped shared,
// so that a killed process loses nothing of it. Without a file it is memory.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace pynvme::ssd {

class StateFile {
 public:
  static constexpr uint64_t kBytes = 256 << 10;

  // "<media file>.state"; empty: memory. Throws std::runtime_error when it cannot be used. Who has
  // the media's file has this one as well.
  explicit StateFile(const std::string& media_file);
  ~StateFile();
  StateFile(const StateFile&) = delete;
  StateFile& operator=(const StateFile&) = delete;

  // Zeroes at first.
  std::span<uint8_t> bytes() { return {data_, kBytes}; }

 private:
  std::vector<uint8_t> own_;
  uint8_t* data_ = nullptr;
};

}  // namespace pynvme::ssd
