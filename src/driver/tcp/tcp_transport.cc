// The association: its admin connection, properties, and what ends it. IO queues are connections of
// the same association (NVMe Base 2.0 §3.3.2 and §6.3).
#include "driver/tcp/tcp_transport.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <utility>

#include "driver/controller.h"
#include "driver/errors.h"
#include "driver/io_queue_pair.h"
#include "driver/tcp/authentication.h"
#include "driver/tcp/discovery.h"
#include "driver/tcp/fabrics_commands.h"
#include "spec/fabrics.h"
#include "spec/registers.h"
#include "spec/status.h"

namespace pynvme::driver::tcp {

namespace reg = spec::reg;
namespace fabrics = spec::fabrics;

namespace {

// What every admin queue has at least (NVMe Base 2.0 §5.17.2.1: ASQSZ of the Discovery log).
constexpr uint32_t kSmallestAdminEntries = 32;
constexpr uint64_t kTendMs = 500;
constexpr uint64_t kMs = 1'000'000;
// A target that comes back is asked for this often.
constexpr auto kReconnectPause = std::chrono::milliseconds(50);

}  // namespace

// An IO queue's connection.
class TcpTransport::Link final : public QueueLink {
 public:
  Link(TcpTransport& transport, Controller& controller, const QueueRings& rings)
      : transport_(transport),
        controller_(controller),
        rings_(rings),
        queue_(rings, transport.options_, transport.clock_, false) {
    queue_.set_wire_faults(transport_.wire_faults_);
    const std::lock_guard guard(transport_.mutex_);
    transport_.links_.push_back(this);
  }
  ~Link() override {
    const std::lock_guard guard(transport_.mutex_);
    std::erase(transport_.links_, this);
  }
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  pcie::Doorbells doorbells() override { return queue_.doorbells(); }

  void create(QueuePair& pair, IoQueueOptions& options, uint32_t generation) override {
    options.vector = 0;
    options.interrupts = false;
    if (generation != controller_.generation()) {
      throw QueueCreationError(transport_.name() + ": a reset came before the queue was there");
    }
    try {
      transport_.connect_io(queue_, rings_, options.priority, pair);
      const std::lock_guard guard(transport_.mutex_);
      association_ = transport_.association_;
    } catch (const CommandFailed&) {
      queue_.close("the target refused the queue");
      throw;
    } catch (const Error& error) {
      queue_.close("the queue was not created");
      throw QueueCreationError(error.what());
    }
  }

  void remove(bool, uint32_t) override { queue_.close("the queue was deleted"); }
  bool severed() const noexcept override { return !queue_.is_open(); }

  TcpQueue& queue() { return queue_; }
  uint16_t id() const { return rings_.id; }
  uint64_t association() const { return association_; }  // with the transport's mutex

 private:
  TcpTransport& transport_;
  Controller& controller_;
  const QueueRings rings_;
  uint64_t association_ = 0;
  TcpQueue queue_;
};

TcpTransport::TcpTransport(Options options, std::function<void()> idle, const base::Clock& clock)
    : options_(std::move(options)), idle_(std::move(idle)), clock_(clock) {
  FoundSubsystem found;
  if (options_.subnqn.empty()) {
    found = find_subsystem(options_, idle_);
    options_.subnqn = found.nqn;
  }
  try {
    connect();
  } catch (const EnumerateError& error) {
    if (found.elsewhere.empty()) throw;
    throw EnumerateError(std::string(error.what()) +
                         ". Its Discovery service tells of the subsystem at " + found.elsewhere +
                         ": name that address");
  }
  if (options_.kato_ms != 0) tender_ = std::thread([this] { tend(); });
}

TcpTransport::~TcpTransport() { close(); }

void TcpTransport::close() noexcept {
  {
    const std::lock_guard guard(mutex_);
    ending_ = true;
    wake_.notify_all();
  }
  if (tender_.joinable()) tender_.join();
  admin_->stop();
  admin_->close("the controller was closed");
}

void TcpTransport::connect() {
  auto data = connect_data(options_, options_.subnqn, fabrics::kCntlidDynamic);
  while (true) {
    if (admin_ == nullptr) {
      admin_ = std::make_unique<TcpQueue>(
          QueueRings{0, options_.admin_entries - TcpQueue::kOwnCommands, {}, {}}, options_, clock_,
          true);
    }
    admin_->set_wire_faults(wire_faults_);
    admin_->open(dial(options_, options_.subnqn, idle_), idle_);
    const spec::Cqe cqe =
        admin_->execute(connect_command(0, options_.admin_entries, 0, options_.kato_ms), &data,
                        sizeof(data), "Connect", idle_);
    if (cqe.ok()) {
      cntlid_ = fabrics::connect_cntlid(cqe.cdw0);
      authenticate(*admin_, options_, options_.subnqn, cqe, idle_);
      break;
    }
    admin_->close("the target refused the connection");
    if (refuses_sqsize(cqe) && options_.admin_entries > kSmallestAdminEntries &&
        association_ == 0) {
      options_.admin_entries = kSmallestAdminEntries;
      admin_.reset();
      continue;
    }
    throw EnumerateError(name() + ": the target refused to connect " + options_.hostnqn + " to " +
                         options_.subnqn + ": " + connect_refusal(cqe));
  }
  enabled_ = false;
  csts_.store(0, std::memory_order_relaxed);
  const std::lock_guard guard(mutex_);
  ++association_;
}

void TcpTransport::connect_io(TcpQueue& queue, const QueueRings& rings, uint8_t priority,
                              QueuePair& pair) {
  queue.set_in_capsule_max(in_capsule_max_);
  auto data = connect_data(options_, options_.subnqn, cntlid_);
  const base::Clock& real = base::Clock::real();
  const uint64_t start_ns = real.now_ns();
  while (true) {
    queue.open(dial(options_, options_.subnqn, idle_), idle_);
    const spec::Cqe cqe = queue.execute(connect_command(rings.id, rings.entries, priority, 0),
                                        &data, sizeof(data), "Connect", idle_);
    if (cqe.ok()) {
      authenticate(queue, options_, options_.subnqn, cqe, idle_);
      break;
    }
    // A queue of that identifier was deleted a moment ago, and the target has not yet noticed that
    // its connection is closed.
    const bool still_there =
        cqe.sct() == spec::sct::kGeneric && cqe.sc() == spec::sc::kCommandSequenceError;
    if (!still_there || real.now_ns() - start_ns > options_.answer_ms * kMs) {
      throw CommandFailed(name() + ": the target refused IO queue " + std::to_string(rings.id) +
                              ": " + connect_refusal(cqe),
                          cqe);
    }
    std::this_thread::sleep_for(kReconnectPause / 5);
    if (idle_) idle_();
  }
  queue.serve(&pair);
}

uint64_t TcpTransport::register_bytes() const { return reg::kDoorbells; }

spec::Cqe TcpTransport::property_get(uint32_t offset, bool wide) {
  const spec::Cqe cqe =
      admin_->execute(property_get_command(offset, wide), nullptr, 0, "Property Get", idle_);
  if (cqe.ok()) return cqe;
  char text[120];
  std::snprintf(
      text, sizeof(text),
      ": register %02Xh is no property of this target: Property Get failed with %02x/%02x", offset,
      cqe.sct(), cqe.sc());
  throw InvalidArgument(name() + text);
}

uint32_t TcpTransport::read32(uint32_t offset) {
  // Halves of CAP: a property is read as a whole (NVMe Base 2.0 §6.5).
  if (offset == reg::kCap || offset == reg::kCap + 4) {
    const uint64_t cap = read64(reg::kCap);
    return static_cast<uint32_t>(offset == reg::kCap ? cap : cap >> 32);
  }
  if (!admin_->is_open()) return UINT32_MAX;
  try {
    const uint32_t value = property_get(offset, false).cdw0;
    if (offset == reg::kCsts) csts_.store(value, std::memory_order_relaxed);
    return value;
  } catch (const DeviceGone&) {
    return UINT32_MAX;
  }
}

uint64_t TcpTransport::read64(uint32_t offset) {
  if (!admin_->is_open()) return UINT64_MAX;
  try {
    const spec::Cqe cqe = property_get(offset, true);
    return uint64_t{cqe.cdw1} << 32 | cqe.cdw0;
  } catch (const DeviceGone&) {
    return UINT64_MAX;
  }
}

void TcpTransport::write32(uint32_t offset, uint32_t value) {
  if (!admin_->is_open()) return;
  if (offset == reg::kCc && spec::Cc{value}.en()) enabled_ = true;
  spec::Cqe cqe{};
  try {
    cqe = admin_->execute(property_set_command(offset, value, false), nullptr, 0, "Property Set",
                          idle_);
  } catch (const DeviceGone&) {
    return;  // as a write to a device that left the bus
  }
  if (cqe.ok()) return;
  char text[160];
  std::snprintf(text, sizeof(text),
                ": %08Xh was not taken for register %02Xh: Property Set failed with %02x/%02x, %s",
                value, offset, cqe.sct(), cqe.sc(), spec::status_text(cqe.sct(), cqe.sc(), true));
  throw InvalidArgument(name() + text);
}

// A Property Get would cost whoever waits a round trip each millisecond, and a target that does not
// answer would stop them.
uint32_t TcpTransport::status() {
  if (!admin_->is_open()) return UINT32_MAX;
  csts_wanted_.store(true, std::memory_order_relaxed);
  return csts_.load(std::memory_order_relaxed);
}

std::string TcpTransport::gone_text() const {
  return admin_->error() + ". reset() the controller connects anew";
}

uint32_t TcpTransport::admin_entries() const {
  return options_.admin_entries - TcpQueue::kOwnCommands;
}

pcie::Doorbells TcpTransport::attach_admin(const QueueRings& rings) {
  admin_->set_memory(rings.sq, rings.cq);
  return admin_->doorbells();
}

void TcpTransport::recover(const std::function<void(const char* reason)>& lost) {
  admin_->poll();  // nobody may have looked since it was lost
  try {
    // A target that is gone without a word, or deaf, does not answer, which ends the connection.
    if (read32(reg::kCsts) != UINT32_MAX && admin_->is_open()) return;
  } catch (const InvalidArgument&) {
    admin_->close("the target has forgotten the controller");
  }
  lost("the connection to the target was lost");
  const base::Clock& real = base::Clock::real();
  const uint64_t start_ns = real.now_ns();
  while (true) {
    try {
      return connect();
    } catch (const EnumerateError&) {
      // It may be on its way up.
      if (real.now_ns() - start_ns > options_.answer_ms * kMs) throw;
    }
    std::this_thread::sleep_for(kReconnectPause);
    if (idle_) idle_();
  }
}

// A controller that was enabled once has lost its association with its reset (NVMe Base 2.0
// §3.7.2); what follows is the first command of a new one.
void TcpTransport::start_admin(QueuePair& pair) {
  if (enabled_ || !admin_->is_open()) {
    admin_->close("the controller was reset");
    connect();
  }
  admin_->serve(&pair);
}

void TcpTransport::queues_lost() {
  admin_->stop();
  const std::lock_guard guard(mutex_);
  for (Link* const link : links_) link->queue().close("the controller was reset");
}

void TcpTransport::identified(const spec::IdentifyController& data) {
  // IOCCSZ is in units of 16 bytes and counts the SQE; in-capsule data that begin elsewhere than
  // right behind it (ICDOFF) are not for TCP.
  const uint64_t capsule = uint64_t{data.ioccsz} * 16;
  in_capsule_max_ =
      data.icdoff == 0 && capsule > sizeof(spec::Sqe)
          ? static_cast<uint32_t>(std::min<uint64_t>(capsule - sizeof(spec::Sqe), UINT32_MAX))
          : 0;
}

std::unique_ptr<QueueLink> TcpTransport::link(Controller& controller, const QueueRings& rings) {
  return std::make_unique<Link>(*this, controller, rings);
}

std::shared_ptr<const PduLog> TcpTransport::pdu_log(uint16_t sqid) const {
  if (sqid == 0) return admin_->pdu_log();
  const std::lock_guard guard(mutex_);
  for (Link* const link : links_) {
    if (link->id() == sqid) return link->queue().pdu_log();
  }
  return nullptr;
}

void TcpTransport::check_reset(ResetKind kind) const {
  if (kind == ResetKind::kSubsystem) return;
  const bool power = kind == ResetKind::kPowerOff || kind == ResetKind::kPowerOn;
  throw InvalidArgument(name() + " is reached over a fabric: " +
                        (power ? "its power is not ours to switch; give Subsystem() functions "
                                 "(poweron_cb, poweroff_cb) that can"
                               : "there is no PCIe function to reset; use Controller.reset()"));
}

void TcpTransport::reset(ResetKind, const std::function<void()>&) {
  write32(reg::kNssr, spec::kNssrReset);
  // The association ends with it, whenever the target says so.
  admin_->close("the NVM subsystem was reset");
}

void TcpTransport::tend() noexcept {
  pthread_setname_np(pthread_self(), "nvme-tcp-alive");
  std::unique_lock guard(mutex_);
  while (!ending_) {
    const uint64_t kato_ms = std::max<uint32_t>(admin_->kato_ms(), 30);
    wake_.wait_for(guard, std::chrono::milliseconds(std::min(kato_ms / 3, kTendMs)));
    if (ending_) return;
    if (std::exchange(tended_association_, association_) != association_) {
      keep_alive_.reset();
      csts_read_.reset();
      keep_alive_sent_ns_ = base::Clock::real().now_ns();
    }
    guard.unlock();
    tend_once();
    guard.lock();
  }
}

// The association ends with the admin queue's connection (NVMe Base 2.0 §3.3.2), and all others
// with it, also where the target has left them open, or is not there any more to say so.
void TcpTransport::association_lost() noexcept {
  const std::lock_guard guard(mutex_);
  for (Link* const link : links_) {
    // A newer association's are none of ours.
    if (link->association() != tended_association_) continue;
    link->queue().end_soon("the connection of the admin queue was lost");
  }
}

void TcpTransport::tend_once() noexcept {
  // Of before the look: an answer that came while this thread stood still has come in time.
  const uint64_t now_ns = base::Clock::real().now_ns();
  if (admin_->is_open()) admin_->poll();
  if (!admin_->is_open()) return association_lost();
  const uint64_t kato_ns = admin_->kato_ms() * kMs;
  spec::Cqe cqe{};
  if (csts_read_ && admin_->finished(*csts_read_, &cqe)) {
    csts_read_.reset();
    if (cqe.ok()) csts_.store(cqe.cdw0, std::memory_order_relaxed);
  } else if (!csts_read_ && csts_wanted_.exchange(false, std::memory_order_relaxed)) {
    csts_read_ = admin_->begin(property_get_command(reg::kCsts, false), nullptr, 0);
  }
  if (kato_ns == 0) return;
  if (keep_alive_ && admin_->finished(*keep_alive_, &cqe)) keep_alive_.reset();
  if (keep_alive_) {
    if (now_ns - keep_alive_sent_ns_ > kato_ns) {
      admin_->fail("Keep Alive had no answer within " + std::to_string(kato_ns / kMs) + " ms");
    }
    return;
  }
  if (now_ns - keep_alive_sent_ns_ < kato_ns / 3) return;
  keep_alive_ = admin_->begin(keep_alive_command(), nullptr, 0);
  keep_alive_sent_ns_ = now_ns;
}

}  // namespace pynvme::driver::tcp
