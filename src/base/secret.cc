#include "base/secret.h"

#include <sys/random.h>

#include <cerrno>
#include <cstring>
#include <system_error>

namespace pynvme::base {

void wipe(void* data, size_t bytes) noexcept {
  if (bytes != 0) explicit_bzero(data, bytes);
}

bool same_secret(std::span<const uint8_t> a, std::span<const uint8_t> b) noexcept {
  if (a.size() != b.size()) return false;
  // Volatile, so that no compiler leaves the loop when the result is known.
  volatile uint8_t differences = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    differences = static_cast<uint8_t>(differences | (a[i] ^ b[i]));
  }
  return differences == 0;
}

void random_bytes(void* data, size_t bytes) {
  auto* to = static_cast<uint8_t*>(data);
  while (bytes != 0) {
    const ssize_t got = getrandom(to, bytes, 0);
    if (got < 0) {
      if (errno == EINTR) continue;
      throw std::system_error(errno, std::generic_category(), "getrandom");
    }
    to += got;
    bytes -= static_cast<size_t>(got);
  }
}

}  // namespace pynvme::base
