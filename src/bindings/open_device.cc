#include "bindings/open_device.h"

#include <algorithm>
#include <optional>
#include <stdexcept>
#include <utility>

#include "base/log.h"
#include "bindings/buffer.h"
#include "bindings/callback.h"
#include "bindings/controller.h"
#include "bindings/errors.h"
#include "driver/tcp/tcp_transport.h"
#include "pcie/address.h"
#include "pcie/bus.h"
#include "spec/identify.h"
#include "spec/identify_namespace.h"
#include "verify/known_namespaces.h"

namespace nb = nanobind;

namespace pynvme::bindings {
namespace {

// Devices that scripts have open, for the end of the interpreter.
std::vector<OpenDevice*>& open_devices() {
  static auto* instance = new std::vector<OpenDevice*>();
  return *instance;
}

// NVM Command Set 1.0 §2.1.4; all fields are 0's based, but NABSPF is 0 where there is no boundary.
verify::Atomicity atomicity_of(const spec::IdentifyNamespace& ns,
                               const spec::IdentifyController& controller) {
  constexpr uint8_t kNsabp = 1U << 1;  // NSFEAT: NAWUPF instead of AWUPF
  const uint32_t lbas = ((ns.nsfeat & kNsabp) != 0 ? ns.nawupf : controller.awupf) + 1U;
  return {lbas, ns.nabspf == 0 ? 0 : ns.nabspf + 1U};
}

bool served(driver::Controller& driver) {
  const auto function = driver.transport().function();
  return function != nullptr && function->is_served();
}

std::shared_ptr<pcie::Function> open_function(const std::string& address) {
  auto& bus = pcie::Bus::instance();
  if (pcie::parse_address(address).kind != pcie::Address::Kind::kSocket) return bus.open(address);
  // A server may be slow to answer, or a thread of this very script.
  const PythonWait wait;
  return bus.open(address);
}

}  // namespace

std::shared_ptr<OpenDevice> OpenDevice::open(const std::string& address) {
  const pcie::Address wanted = pcie::parse_address(address);
  for (OpenDevice* const one : open_devices()) {
    if (one->address_ != wanted.name || !one->still_there()) continue;
    // Secrets are not in the name.
    if (one->fabric_ && one->fabric_->parameters != wanted.parameters) continue;
    if (auto shared = one->weak_from_this().lock()) return shared;
  }
  return std::shared_ptr<OpenDevice>(new OpenDevice(address));
}

OpenDevice::OpenDevice(const std::string& address) : address_(address) {
  pcie::Address parsed = pcie::parse_address(address);
  address_ = parsed.name;
  if (parsed.kind == pcie::Address::Kind::kTcp) {
    // What its options say is looked at now; who listens there, when a controller is made.
    driver::tcp::make_options(parsed);
    fabric_ = std::move(parsed);
  } else {
    function_ = open_function(address);
    address_ = function_->name();
  }
  slot_ = pcie::EmbeddedSlot::find(address_);
  if (slot_ != nullptr) plugs_ = slot_->plugs();
  open_devices().push_back(this);
}

OpenDevice::~OpenDevice() { close(); }

// An SSD that was pulled out is not what the name says any more, whatever is in its slot by now.
bool OpenDevice::still_there() const {
  if (fabric_) return true;
  if (function_ == nullptr || function_->removed()) return false;
  return slot_ == nullptr || (slot_->plugged() && slot_->plugs() == plugs_);
}

pcie::Function& OpenDevice::function() const { return *shared_function(); }

std::shared_ptr<pcie::Function> OpenDevice::shared_function() const {
  if (fabric_) {
    throw_argument_error(address_ +
                         " is reached over a fabric: there is no PCIe function, with no "
                         "configuration space, BARs, interrupts or PCIe resets");
  }
  if (!function_) {
    throw_argument_error(address_ + " is closed. Open it again with Pcie() or Controller().");
  }
  return function_;
}

std::shared_ptr<OpenController> OpenDevice::controller_if_any() const {
  if (fabric_ || controllers_.empty()) return nullptr;
  auto existing = controllers_.back().lock();
  return existing != nullptr && existing->is_open() ? existing : nullptr;
}

std::shared_ptr<OpenController> OpenDevice::controller() {
  if (auto existing = controller_if_any()) return existing;
  std::string subnqn;
  auto driver = open_driver(&subnqn);
  driver->set_idle_hook(PythonWait::idle);
  auto knowledge =
      fabric_ ? SubsystemKnowledge::of(fabric_->host + ' ' + std::to_string(fabric_->port), subnqn)
              : std::make_shared<SubsystemKnowledge>();
  auto made =
      std::make_shared<OpenController>(shared_from_this(), std::move(driver), std::move(knowledge));
  std::erase_if(controllers_, [](const auto& one) { return one.expired(); });
  controllers_.push_back(made);
  return made;
}

std::shared_ptr<driver::Controller> OpenDevice::open_driver(std::string* subnqn) const {
  if (!fabric_) {
    auto function = shared_function();
    std::optional<PythonWait> wait;
    if (function->is_served()) wait.emplace();
    return driver::Controller::open(std::move(function));
  }
  auto options = driver::tcp::make_options(*fabric_);
  const PythonWait wait;
  auto transport =
      std::make_unique<driver::tcp::TcpTransport>(std::move(options), PythonWait::idle);
  *subnqn = transport->options().subnqn;
  return driver::Controller::open(std::move(transport));
}

void OpenDevice::close() noexcept {
  // The controller may be all that keeps this device. Null in the destructor.
  const auto self = weak_from_this().lock();
  for (const auto& one : std::exchange(controllers_, {})) {
    if (const auto controller = one.lock()) controller->close();
  }
  if (function_ != nullptr && function_->is_served()) {
    auto function = std::move(function_);
    const PythonWait wait;
    function.reset();
  }
  function_.reset();
  fabric_.reset();
  slot_.reset();
  std::erase(open_devices(), this);
}

bool OpenDevice::any_is_served() {
  const auto& all = open_devices();
  return std::any_of(all.begin(), all.end(), [](const OpenDevice* one) {
    return one->function_ != nullptr && one->function_->is_served();
  });
}

void OpenDevice::close_all() noexcept {
  while (!open_devices().empty()) open_devices().back()->close();
}

DeviceHandle::DeviceHandle(const std::string& address)
    : device_(OpenDevice::open(address)), address_(device_->address()) {
  ++device_->handles_;
}

DeviceHandle::~DeviceHandle() {
  if (device_ != nullptr) --device_->handles_;
}

const std::shared_ptr<OpenDevice>& DeviceHandle::device() const {
  if (device_ == nullptr) {
    throw_argument_error(address_ + " is closed. Open it again with Pcie() or Controller().");
  }
  return device_;
}

void DeviceHandle::close() noexcept {
  if (device_ == nullptr) return;
  const auto device = std::move(device_);
  while (!controllers_.empty()) controllers_.back()->end_session();
  if (--device->handles_ == 0) device->close();
}

std::shared_ptr<SubsystemKnowledge> SubsystemKnowledge::of(const std::string& address,
                                                           const std::string& subnqn) {
  static auto* all = new std::unordered_map<std::string, std::weak_ptr<SubsystemKnowledge>>();
  std::erase_if(*all, [](const auto& one) { return one.second.expired(); });
  auto& known = (*all)[address + ' ' + subnqn];
  if (auto shared = known.lock()) return shared;
  auto made = std::make_shared<SubsystemKnowledge>();
  known = made;
  return made;
}

OpenController::OpenController(std::shared_ptr<OpenDevice> device,
                               std::shared_ptr<driver::Controller> driver,
                               std::shared_ptr<SubsystemKnowledge> knowledge)
    : device_(std::move(device)),
      driver_(std::move(driver)),
      knowledge_(std::move(knowledge)),
      changes_(knowledge_->changes),
      served_(served(*driver_)) {}

OpenController::~OpenController() { close(); }

driver::Controller& OpenController::driver() const { return *shared_driver(); }

const std::shared_ptr<driver::Controller>& OpenController::shared_driver() const {
  if (!driver_) {
    throw_argument_error("the controller of " + device_->address() +
                         " is closed. Make a new Controller().");
  }
  return driver_;
}

void OpenController::close() noexcept {
  if (!driver_) return;
  // Newest first: workers before the queues of the script, which were there before them.
  while (!users_.empty()) {
    DeviceUser* const user = users_.back();
    users_.pop_back();
    user->end_use();
  }
  auto driver = std::move(driver_);
  // Shutdown may take its time; no signal is looked at, so that it is not cut short.
  driver->set_idle_hook({});
  {
    const PythonWait wait;
    driver.reset();
  }
  drop_leftovers();
}

uint64_t OpenController::begin_session() {
  ++sessions_;
  return ++last_session_;
}

void OpenController::close_session(uint64_t session) noexcept {
  if (--sessions_ == 0) {
    close();
    return;
  }
  for (size_t i = users_.size(); i-- > 0;) {
    if (i >= users_.size() || users_[i]->session() != session) continue;
    DeviceUser* const user = users_[i];
    remove(user);
    user->end_use();
  }
}

std::shared_ptr<OpenNamespace> OpenController::open_namespace(uint32_t nsid, uint64_t nlba_verify) {
  auto& known = namespaces_[nsid];
  if (auto ns = known.lock()) {
    refresh(*ns);
    if (ns->lba_count == 0) throw_python("NamespaceCreationError", inactive_text(nsid));
    return ns;
  }
  auto ns = std::make_shared<OpenNamespace>();
  ns->nsid = nsid;
  read_format(*ns);
  if (ns->lba_count == 0) throw_python("NamespaceCreationError", inactive_text(nsid));
  ns->nlba_verify = nlba_verify;
  if (ns->integrity == nullptr) {
    follow(*ns);
    publish(*ns);
  }
  known = ns;
  return ns;
}

std::string OpenController::inactive_text(uint32_t nsid) {
  std::string active;
  {
    ++admin_busy;
    const PythonWait wait;
    try {
      driver().init_namespaces();
    } catch (...) {
      --admin_busy;
      throw;
    }
    --admin_busy;
  }
  for (const uint32_t id : driver().active_namespaces()) {
    active.append(active.empty() ? "" : ", ").append(std::to_string(id));
  }
  return "namespace " + std::to_string(nsid) + " of " + device_->address() +
         " is not active: it does not exist, or is not attached to the controller. Active: " +
         (active.empty() ? "none" : active) + ".";
}

void OpenController::read_format(OpenNamespace& ns) {
  const uint64_t changes = changes_->count();
  const uint64_t erasures = changes_->erasures(ns.nsid);
  spec::IdentifyNamespace data{};
  driver::LbaLayout lba;
  {
    ++admin_busy;
    const PythonWait wait;
    try {
      data = driver().identify_namespace(ns.nsid);
      if (data.nsze != 0) lba = driver().lba_layout(ns.nsid, data);
    } catch (...) {
      --admin_busy;
      throw;
    }
    --admin_busy;
  }
  adopt(ns);
  const bool erased = std::exchange(ns.erasures_seen, erasures) != erasures;
  ns.changes_seen = changes;
  ns.lba_count = data.nsze;
  if (data.nsze != 0) {
    ns.lba = lba;
    ns.atomicity = atomicity_of(data, driver().identify_data());
  }
  if (!ns.integrity) return;
  // What is detached keeps its data, and comes back as it was.
  if (data.nsze == 0) {
    if (erased) ns.integrity->invalidate_all();
  } else if (erased || ns.lba.data_bytes != ns.integrity->lba_bytes() ||
             ns.lba_count != ns.followed_lbas) {
    follow_anew(ns);
  }
  publish(ns);
}

// Another controller of the subsystem may follow it already, or anew.
void OpenController::adopt(OpenNamespace& ns) const {
  const auto found = knowledge_->namespaces.find(ns.nsid);
  if (found == knowledge_->namespaces.end()) return;
  const SubsystemKnowledge::Followed& followed = found->second;
  auto integrity = followed.integrity.lock();
  if (integrity == nullptr) return;
  ns.integrity = std::move(integrity);
  ns.followed_bytes = followed.followed_bytes;
  ns.followed_lbas = followed.followed_lbas;
  ns.erasures_seen = followed.erasures_seen;
}

void OpenController::publish(const OpenNamespace& ns) {
  knowledge_->namespaces[ns.nsid] = {ns.integrity, ns.followed_bytes, ns.followed_lbas,
                                     ns.erasures_seen};
}

// Nothing is known of the data. One that is larger than before, in the place of one that was
// deleted, needs a larger table; workers that still run keep theirs.
void OpenController::follow_anew(OpenNamespace& ns) {
  if (ns.lba_count * ns.lba.data_bytes <= ns.followed_bytes) {
    ns.followed_lbas = ns.lba_count;
    ns.integrity->reformat(ns.lba_count, ns.lba.data_bytes);
    ns.integrity->set_atomicity(ns.atomicity);
    return;
  }
  const bool checking = ns.integrity->checking();
  follow(ns);
  if (ns.integrity) ns.integrity->set_checking(checking);
}

void OpenController::follow(OpenNamespace& ns) {
  ns.followed_bytes = ns.lba_count * ns.lba.data_bytes;
  ns.followed_lbas = ns.lba_count;
  ns.integrity = nullptr;
  try {
    ns.integrity =
        std::make_shared<verify::Integrity>(ns.lba_count, ns.lba.data_bytes, ns.nlba_verify);
    ns.integrity->set_write_through(changes_->write_through());
    ns.integrity->set_atomicity(ns.atomicity);
    verify::announce(ns.integrity, device_->address(), ns.nsid);
  } catch (const std::runtime_error& error) {
    base::log(base::LogLevel::kWarning, "%s namespace %u: data cannot be verified: %s",
              device_->address().c_str(), ns.nsid, error.what());
  }
}

void OpenController::move_out(const std::shared_ptr<BufferMemory>& memory) {
  if (memory->owner == nullptr) return;
  bool in_use = driver().admin().transfers(memory.get());
  for (DeviceUser* const user : users_) {
    if (auto* const queue = user->script_queue()) in_use |= queue->transfers(memory.get());
  }
  if (in_use) {
    abandoned.push_back(memory);
  } else {
    memory->owner->move_out();
  }
}

void OpenController::move_out_abandoned() {
  const auto waiting = std::exchange(abandoned, {});
  for (const auto& memory : waiting) move_out(memory);
}

void OpenController::tell_listeners(const spec::Cqe& cqe) const {
  // A callback may register or remove callbacks, and close or drop Controller objects.
  std::vector<nb::object> alive;
  for (Controller* const listener : event_listeners) alive.push_back(nb::find(listener));
  for (const nb::object& listener : alive) {
    if (listener.is_valid()) nb::inst_ptr<Controller>(listener)->call_aer_callback(cqe);
  }
}

std::vector<std::shared_ptr<verify::Integrity>> OpenController::followed() const {
  std::vector<std::shared_ptr<verify::Integrity>> all;
  for (const auto& [nsid, known] : namespaces_) {
    const auto ns = known.lock();
    if (ns && ns->integrity) all.push_back(ns->integrity);
  }
  return all;
}

void OpenController::power_lost() {
  for (const auto& integrity : followed()) integrity->power_lost();
}

void OpenController::flushed_all() noexcept {
  for (const auto& integrity : followed()) integrity->flushed_all();
}

}  // namespace pynvme::bindings
