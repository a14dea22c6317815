// An embedded SSD for others: it is not plugged into this process, but served at a door that other
// programs come to. What a door speaks is in ssd/.
#pragma once

#include <memory>
#include <string>

namespace pynvme::ssd {
class Device;
class VfioUserServer;
}  // namespace pynvme::ssd

namespace pynvme::pcie {

class ServedSsd {
 public:
  // options: what follows "sim:". Throws std::invalid_argument, OpenError.
  explicit ServedSsd(const std::string& options);
  // Lets clients go, then writes what is cached to the SSD's file, if it has one.
  ~ServedSsd();
  ServedSsd(const ServedSsd&) = delete;
  ServedSsd& operator=(const ServedSsd&) = delete;

  // Plants a fault (ssd/faults/). Throws std::invalid_argument.
  void plant_fault(const std::string& match, const std::string& action);
  // Serves it to vfio-user clients at a UNIX socket, until it is destroyed. Throws
  // std::runtime_error.
  void listen_vfio_user(const std::string& path);

 private:
  std::shared_ptr<ssd::Device> device_;
  std::unique_ptr<ssd::VfioUserServer> vfio_user_;
};

}  // namespace pynvme::pcie
