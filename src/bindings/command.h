// One command of a script: sent, followed through data verification, and delivered to the script as
// warnings and a callback.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include <nanobind/nanobind.h>

#include "bindings/buffer.h"
#include "bindings/callback.h"
#include "bindings/open_device.h"
#include "driver/command_queue.h"
#include "verify/tracked_command.h"

namespace pynvme::bindings {

// What belongs to a command besides what the driver knows: made only when there is some of it.
struct CommandContext : driver::CompletionHook {
  ~CommandContext() override { release_buffer(); }
  void on_complete(const driver::Command& command, spec::Cqe& cqe) noexcept override;
  void on_lost(const driver::Command& command) noexcept override;

  std::shared_ptr<Callback> callback;
  std::optional<verify::TrackedCommand> tracked;
  verify::Mismatch mismatch;
  // The buffer of a write that was stamped: not to be stamped again before this one is over.
  std::shared_ptr<BufferMemory> stamped;
  // What an admin command changes is noted here when it succeeds.
  std::shared_ptr<verify::NamespaceChanges> changes;
  verify::NamespaceChange change;

 private:
  void release_buffer() noexcept;
};

// Hands completions to the script: warnings first, then the callback. `controller` gets the events.
class ScriptDelivery : public driver::Delivery {
 public:
  ScriptDelivery(OpenController& controller, uint16_t sqid)
      : controller_(controller), sqid_(sqid) {}
  void deliver(driver::Finished& finished) override;

 private:
  // What forensics add to the text of a miscompare.
  std::string explained(CommandContext& context, const driver::Finished& finished);

  OpenController& controller_;
  uint16_t sqid_;
};

// The data of a command: `bytes` of the buffer from its offset on. Null buffer: no data. `what`
// names the command in the error of a buffer that is too small.
driver::DataBuffer data_of(const Buffer* buffer, uint64_t bytes, const char* what);
// All of the buffer, whatever the command will do with it.
driver::DataBuffer all_data_of(const Buffer* buffer);

// waitdone(): returns cdw0 of the last completion. `busy` counts the threads that reap the queue.
uint32_t wait_done(OpenController& controller, driver::CommandQueue& queue, uint32_t expected,
                   uint32_t& busy);
// Sends and waits for this command only, also inside callbacks; nothing is delivered to the script.
spec::Cqe execute(OpenController& controller, driver::Command command);

// Completions are being delivered in this thread: a callback runs.
bool delivering();

// C++ log lines to Python's logging. Called wherever a call into the driver returns.
void pass_on_log();

}  // namespace pynvme::bindings
