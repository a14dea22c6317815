#include "bindings/command.h"

#include <cstdio>
#include <string>
#include <utility>

#include <nanobind/stl/string.h>

#include "base/log.h"
#include "bindings/controller.h"
#include "bindings/errors.h"
#include "bindings/miscompare.h"
#include "spec/status.h"

namespace nb = nanobind;

namespace pynvme::bindings {
namespace {

thread_local int deliveries = 0;

std::string format(const char* pattern, unsigned a, unsigned b = 0) {
  char text[96];
  // The patterns are constants of this file.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
  snprintf(text, sizeof(text), pattern, a, b);
#pragma GCC diagnostic pop
  return text;
}

// Counts a thread in and out of a queue; with the GIL.
class Busy {
 public:
  explicit Busy(uint32_t& count) : count_(count) { ++count_; }
  ~Busy() { --count_; }
  Busy(const Busy&) = delete;
  Busy& operator=(const Busy&) = delete;

 private:
  uint32_t& count_;
};

}  // namespace

void CommandContext::on_complete(const driver::Command&, spec::Cqe& cqe) noexcept {
  const bool ok = cqe.ok();
  release_buffer();
  if (changes && ok) changes->note(change);
  if (!tracked) return;
  const bool refused = cqe.sct() == spec::sct::kMedia && cqe.sc() == spec::sc::kCompareFailure;
  mismatch = tracked->end(ok, refused);
  // A Compare that failed keeps the device's status.
  if (!mismatch || refused) return;
  cqe.status = spec::with_phase(
      spec::make_status(spec::sct::kVendor, spec::sc::kDataVerifyMismatch), cqe.phase());
}

void CommandContext::on_lost(const driver::Command&) noexcept {
  release_buffer();
  if (tracked) tracked->end_interrupted();
}

void CommandContext::release_buffer() noexcept {
  if (stamped) stamped->stamped_writes.fetch_sub(1, std::memory_order_relaxed);
  stamped.reset();
}

bool delivering() { return deliveries != 0; }

void ScriptDelivery::deliver(driver::Finished& finished) {
  auto* context = static_cast<CommandContext*>(finished.hook.get());
  const spec::Cqe& cqe = finished.cqe;
  // An event is everybody's who asked for events; an AER that failed is its sender's.
  const bool event = finished.async_event && cqe.ok();
  const bool called = !event && context != nullptr && context->callback != nullptr;
  if (cqe.ok() && !called && !finished.async_event && controller_.abandoned.empty()) [[likely]]
    return;

  if (PythonWait* const wait = PythonWait::current()) wait->acquire();
  if (finished.timed_out && finished.keep_alive != nullptr) {
    // What the device writes after all goes where nobody looks any more.
    controller_.move_out(std::static_pointer_cast<BufferMemory>(finished.keep_alive));
  } else if (!controller_.abandoned.empty()) {
    controller_.move_out_abandoned();
  }
  ++deliveries;
  std::exception_ptr raised;  // a warning that is an error must not cost the script its callback
  try {
    if (finished.timed_out) warn(format("drive timeout: qpair: %d, cid: %d", sqid_, finished.cid));
    if (!cqe.ok()) {
      std::string text = format("ERROR status: %02x/%02x", cqe.sct(), cqe.sc());
      if (context != nullptr && context->mismatch) {
        text += ": " + context->mismatch.text() + explained(*context, finished);
      }
      warn(text);
    } else if (event) {
      warn(format("AER notification is triggered: 0x%x", cqe.cdw0));
    }
  } catch (...) {
    raised = std::current_exception();
  }
  try {
    if (called) {
      context->callback->call(cqe);
    } else if (event) {
      controller_.tell_listeners(cqe);
    }
  } catch (...) {
    --deliveries;
    throw;
  }
  --deliveries;
  if (raised) std::rethrow_exception(raised);
}

std::string ScriptDelivery::explained(CommandContext& context, const driver::Finished& finished) {
  spec::Sqe sqe = finished.sqe;
  sqe.cid = finished.cid;
  auto& driver = controller_.driver();
  const auto miscompare = verify::explain(context.mismatch, context.tracked->integrity(),
                                          controller_.device()->address(), sqe, sqid_,
                                          driver.cmdlogs(), driver.clock().now_ns());
  return miscompare ? report_miscompare(*miscompare) : std::string();
}

driver::DataBuffer data_of(const Buffer* buffer, uint64_t bytes, const char* what) {
  if (bytes == 0) return {};
  if (buffer == nullptr) throw_argument_error(std::string(what) + " needs a Buffer, not None");
  if (bytes > buffer->size()) {
    throw_argument_error(std::string(what) + " transfers " + std::to_string(bytes) +
                         " bytes, but the Buffer '" + buffer->name() + "' has " +
                         std::to_string(buffer->size()) +
                         " from its offset on. Nothing was sent; use a larger Buffer.");
  }
  return {buffer->phys_addr(), buffer->data(), bytes, buffer->memory()};
}

driver::DataBuffer all_data_of(const Buffer* buffer) {
  if (buffer == nullptr) return {};
  return {buffer->phys_addr(), buffer->data(), buffer->size(), buffer->memory()};
}

uint32_t wait_done(OpenController& controller, driver::CommandQueue& queue, uint32_t expected,
                   uint32_t& busy) {
  uint32_t cdw0 = 0;
  {
    // The embedded SSD has mostly completed the command inside the doorbell: then the GIL stays.
    // Nobody else may be at the queue for a look at it. A served device may want a message, and
    // answer it, when the completion is taken.
    const bool ready = busy == 0 && !controller.is_served() && queue.pair().cq().ready();
    const Busy counted(busy);
    const PythonWait wait(ready ? PythonWait::Start::kWithGil : PythonWait::Start::kWithoutGil);
    ScriptDelivery delivery(controller, queue.pair().id());
    try {
      cdw0 = queue.wait(expected, delivery);
    } catch (...) {
      if (PythonWait* const current = PythonWait::current()) current->acquire();
      drop_leftovers();
      pass_on_log();
      throw;
    }
  }
  drop_leftovers();
  pass_on_log();
  return cdw0;
}

spec::Cqe execute(OpenController& controller, driver::Command command) {
  spec::Cqe cqe;
  {
    const Busy counted(controller.admin_busy);
    const PythonWait wait;
    cqe = controller.driver().admin().execute(std::move(command));
  }
  pass_on_log();
  return cqe;
}

void pass_on_log() {
  if (!base::log_waits()) [[likely]]
    return;
  static constexpr int kLevels[] = {10, 20, 30, 40};  // logging.DEBUG .. ERROR
  const nb::object logger = nb::module_::import_("logging").attr("getLogger")("nvme");
  for (const auto& line : base::drain_log()) {
    logger.attr("log")(kLevels[static_cast<size_t>(line.level)], "%s", line.text);
  }
}

}  // namespace pynvme::bindings
