// The heap of what is due when.
#include "ssd/frontend/outstanding.h"

#include <algorithm>

namespace pynvme::ssd {

uint32_t Outstanding::admin_commands(uint8_t opcode) const {
  return static_cast<uint32_t>(std::count_if(due_.begin(), due_.end(), [&](const Due& due) {
    return due.command.sqid == 0 && due.command.sqe.opcode == opcode;
  }));
}

bool Outstanding::has_admin(uint16_t cid) const {
  return std::any_of(due_.begin(), due_.end(), [&](const Due& due) {
    return due.command.sqid == 0 && due.command.sqe.cid == cid;
  });
}

void Outstanding::add(const Command& command, uint64_t due_ns) {
  count(command, 1);
  due_.push_back({due_ns, arrivals_++, command});
  std::push_heap(due_.begin(), due_.end(), later);
}

Outstanding::Command Outstanding::take_next() {
  std::pop_heap(due_.begin(), due_.end(), later);
  const Command command = due_.back().command;
  due_.pop_back();
  count(command, -1);
  return command;
}

bool Outstanding::take(uint16_t sqid, uint16_t cid, Command* command) {
  const auto found = std::find_if(due_.begin(), due_.end(), [&](const Due& due) {
    return due.command.sqid == sqid && due.command.sqe.cid == cid;
  });
  if (found == due_.end()) return false;
  *command = found->command;
  count(*command, -1);
  due_.erase(found);
  std::make_heap(due_.begin(), due_.end(), later);
  return true;
}

std::vector<Outstanding::Command> Outstanding::take_queue(uint16_t sqid) {
  const auto gone = std::stable_partition(due_.begin(), due_.end(),
                                          [&](const Due& due) { return due.command.sqid != sqid; });
  std::sort(gone, due_.end(), [](const Due& a, const Due& b) { return a.arrival < b.arrival; });
  std::vector<Command> commands;
  for (auto due = gone; due != due_.end(); ++due) {
    count(due->command, -1);
    commands.push_back(due->command);
  }
  due_.erase(gone, due_.end());
  std::make_heap(due_.begin(), due_.end(), later);
  return commands;
}

void Outstanding::clear() {
  due_.clear();
  io_commands_ = 0;
}

}  // namespace pynvme::ssd
