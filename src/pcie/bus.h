// The process-wide registry of devices: the one place that turns a name into a function. It keeps
// the embedded SSDs (their data live as long as the process), and the virtual bus on which a
// simulated SSD can be plugged in at a PCI address.
#pragma once

#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "pcie/function.h"

namespace pynvme::ssd {
class Device;
}

namespace pynvme::pcie {

// A device that cannot be opened; the text says why and what to do.
class OpenError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

class Bus {
 public:
  static Bus& instance();

  // Opens the named device: memory space and bus mastering on, DMA memory mapped. It is closed when
  // the last reference goes; one opener at a time. Throws AddressError (pcie/address.h), OpenError,
  // std::invalid_argument (an embedded SSD's options).
  std::shared_ptr<Function> open(std::string_view name);

  // A simulated SSD at a PCI address ("01:00.0"). Throws OpenError when the address is taken.
  // Unplugging an open device makes every access to it read all ones.
  void plug(std::string_view bdf, std::shared_ptr<ssd::Device> device);
  void unplug(std::string_view bdf);

  // Forgets an embedded SSD and its data; the next open makes a new one. False when there was none.
  bool discard(std::string_view name);

  // Names of the devices that are known to the process.
  std::vector<std::string> names() const;

 private:
  Bus();
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace pynvme::pcie
