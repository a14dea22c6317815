#include "ssd/media/state_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <stdexcept>
#include <system_error>

namespace pynvme::ssd {

StateFile::StateFile(const std::string& media_file) {
  if (media_file.empty()) {
    own_.resize(kBytes);
    data_ = own_.data();
    return;
  }
  const std::string path = media_file + ".state";
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY, 0644);
  int error = fd < 0 ? errno : posix_fallocate(fd, 0, kBytes);
  void* mapping = MAP_FAILED;
  if (error == 0) {
    mapping = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (mapping == MAP_FAILED) error = errno;
  }
  if (fd >= 0) close(fd);
  if (error != 0) {
    throw std::runtime_error("the embedded SSD cannot use the file " + path + ": " +
                             std::generic_category().message(error) +
                             "; make room or remove what is in its place");
  }
  data_ = static_cast<uint8_t*>(mapping);
}

StateFile::~StateFile() {
  if (own_.empty()) munmap(data_, kBytes);
}

}  // namespace pynvme::ssd
