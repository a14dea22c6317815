// Commands that were fetched and are not yet due (latency model), in the order they fall due. The
// pump's lock guards all of it.
#pragma once

#include <cstdint>
#include <vector>

#include "spec/command.h"
#include "ssd/status_word.h"

namespace pynvme::ssd {

class Outstanding {
 public:
  struct Command {
    spec::Sqe sqe;
    uint16_t sqid;
    bool executes_late;  // a read: its data move when it is due
    Outcome outcome;     // otherwise
    bool owns_cid = false;
    uint32_t epoch = 0;  // of the namespace that executes_late has been checked against
  };

  bool empty() const { return due_.empty(); }
  uint64_t next_due() const { return due_.empty() ? UINT64_MAX : due_.front().ns; }
  uint32_t io_commands() const { return io_commands_; }
  uint32_t admin_commands(uint8_t opcode) const;
  bool has_admin(uint16_t cid) const;

  void add(const Command& command, uint64_t due_ns);
  Command take_next();
  // Takes out a command that can still be stopped; false when there is none.
  bool take(uint16_t sqid, uint16_t cid, Command* command);
  // Takes out all of one queue, in order of arrival.
  std::vector<Command> take_queue(uint16_t sqid);
  void clear();

 private:
  struct Due {
    uint64_t ns;
    uint64_t arrival;
    Command command;
  };
  static bool later(const Due& a, const Due& b) {
    return a.ns != b.ns ? a.ns > b.ns : a.arrival > b.arrival;
  }
  void count(const Command& command, int by) {
    if (command.sqid != 0) io_commands_ += static_cast<uint32_t>(by);
  }

  std::vector<Due> due_;  // a heap
  uint64_t arrivals_ = 0;
  uint32_t io_commands_ = 0;
};

}  // namespace pynvme::ssd
