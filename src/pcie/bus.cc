// Devices and who has them open. An opened function is closed by its last reference: DMA unmapped,
// bus mastering off, name free again.
#include "pcie/bus.h"

#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <utility>

#include "pcie/address.h"
#include "pcie/config_space.h"
#include "pcie/embedded/function.h"
#include "pcie/vfio/open.h"
#include "pcie/vfio_user/function.h"

namespace pynvme::pcie {

struct Bus::Impl {
  std::mutex mutex;
  std::map<std::string, std::shared_ptr<ssd::Device>, std::less<>> devices;
  // Who has a name open. An entry of its own for each opening: a device that was unplugged may be
  // opened anew before its old function is closed.
  struct Opening {
    Function* function = nullptr;
    EmbeddedFunction* embedded = nullptr;  // the same, when it is one
  };
  std::map<std::string, std::shared_ptr<Opening>, std::less<>> open;

  std::shared_ptr<ssd::Device> find(const Address& address);
  void close(Function* function, const std::shared_ptr<Opening>& opening);
  void forget(const std::string& name, const std::shared_ptr<Opening>& opening);
};

// Null for a PCI address without a simulated SSD, which is a device of this machine, and for a
// device of another process.
std::shared_ptr<ssd::Device> Bus::Impl::find(const Address& address) {
  switch (address.kind) {
    case Address::Kind::kEmbedded: {
      auto& device = devices[address.name];
      if (device == nullptr) {
        try {
          device = make_embedded_device(address.options);
        } catch (const std::invalid_argument& error) {
          // Here the options are a part of the device's name.
          devices.erase(address.name);
          throw AddressError(error.what());
        } catch (...) {
          devices.erase(address.name);
          throw;
        }
      }
      return device;
    }
    case Address::Kind::kPci: {
      const auto plugged = devices.find(address.name);
      return plugged != devices.end() ? plugged->second : nullptr;
    }
    case Address::Kind::kTcp:
      throw OpenError("cannot open " + address.name + ": an NVMe/TCP target is no PCI function");
    case Address::Kind::kSocket:
      return nullptr;
  }
  return nullptr;
}

void Bus::Impl::close(Function* function, const std::shared_ptr<Opening>& opening) {
  const std::string name = function->name();
  {
    const std::lock_guard guard(mutex);
    opening->function = nullptr;  // unplug() and open() leave it alone from here on
    opening->embedded = nullptr;
  }
  // No access of the device may be under way when its mappings go.
  ConfigSpace(*function).set_bus_master(false);
  DmaMemory::instance().detach(*function);
  delete function;
  forget(name, opening);
}

void Bus::Impl::forget(const std::string& name, const std::shared_ptr<Opening>& opening) {
  const std::lock_guard guard(mutex);
  const auto found = open.find(name);
  if (found != open.end() && found->second == opening) open.erase(found);
}

Bus::Bus() : impl_(std::make_shared<Impl>()) {}

Bus& Bus::instance() {
  // Never destroyed: functions in static objects may be closed after it otherwise.
  static auto* bus = new Bus();
  return *bus;
}

std::shared_ptr<Function> Bus::open(std::string_view name) {
  const Address address = parse_address(name);
  std::shared_ptr<ssd::Device> device;
  auto opening = std::make_shared<Impl::Opening>();
  {
    const std::lock_guard guard(impl_->mutex);
    device = impl_->find(address);
    // A device that left on its own may be back, in the hands of nobody.
    if (const auto known = impl_->open.find(address.name); known != impl_->open.end() &&
                                                           known->second->function != nullptr &&
                                                           known->second->function->removed()) {
      impl_->open.erase(known);
    }
    if (!impl_->open.emplace(address.name, opening).second) {
      throw OpenError(address.name +
                      " is open already: use the object that holds it, or drop it (del, or its "
                      "close()) together with its queues and namespaces before opening it again");
    }
  }
  std::unique_ptr<Function> owned;
  EmbeddedFunction* embedded = nullptr;
  try {
    if (device != nullptr) {
      auto made = std::make_unique<EmbeddedFunction>(address.name, std::move(device));
      embedded = made.get();
      owned = std::move(made);
    } else if (address.kind == Address::Kind::kSocket) {
      owned = std::make_unique<VfioUserFunction>(address.name, address.path);
    } else {
      owned = vfio::open_function(address.name);
    }
  } catch (...) {
    impl_->forget(address.name, opening);
    throw;
  }
  std::shared_ptr<Function> function(
      owned.release(), [impl = impl_, opening](Function* raw) { impl->close(raw, opening); });
  // Whoever opened it before may have left the slot without power.
  if (embedded != nullptr) embedded->power_on();
  try {
    DmaMemory::instance().attach(*function);
  } catch (const std::runtime_error& error) {
    throw OpenError(error.what());
  }
  // From here on the device reaches memory: what is mapped, and nothing else.
  ConfigSpace(*function).set_up();
  const std::lock_guard guard(impl_->mutex);
  opening->function = function.get();
  opening->embedded = embedded;
  return function;
}

void Bus::plug(std::string_view bdf, std::shared_ptr<ssd::Device> device) {
  const Address address = parse_address(bdf);
  if (address.kind != Address::Kind::kPci) {
    throw OpenError("cannot plug a simulated SSD in at " + address.name +
                    ": a PCI address like \"01:00.0\" is needed");
  }
  const std::lock_guard guard(impl_->mutex);
  if (!impl_->devices.emplace(address.name, std::move(device)).second) {
    throw OpenError(address.name + " on the virtual bus is taken: unplug what is there first");
  }
}

void Bus::unplug(std::string_view bdf) {
  const Address address = parse_address(bdf);
  std::shared_ptr<ssd::Device> device;
  {
    const std::lock_guard guard(impl_->mutex);
    const auto found = impl_->devices.find(address.name);
    if (address.kind != Address::Kind::kPci || found == impl_->devices.end()) {
      throw OpenError("nothing is plugged in at " + address.name + " on the virtual bus");
    }
    device = std::move(found->second);
    impl_->devices.erase(found);
    if (const auto open = impl_->open.find(address.name); open != impl_->open.end()) {
      EmbeddedFunction* const function = open->second->embedded;
      impl_->open.erase(open);  // the slot can be filled and opened again at once
      if (function != nullptr) {
        device->unplug();
        DmaMemory::instance().detach(*function);
        function->set_removed();
        return;
      }
    }
  }
  device->unplug();
}

bool Bus::discard(std::string_view name) {
  const Address address = parse_address(name);
  const std::lock_guard guard(impl_->mutex);
  if (impl_->open.contains(address.name)) {
    throw OpenError(address.name + " is open: drop the objects that hold it before discarding it");
  }
  return impl_->devices.erase(address.name) != 0;
}

std::vector<std::string> Bus::names() const {
  const std::lock_guard guard(impl_->mutex);
  std::vector<std::string> names;
  for (const auto& [name, device] : impl_->devices) names.push_back(name);
  return names;
}

}  // namespace pynvme::pcie
