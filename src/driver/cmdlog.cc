// Reading the log: a copy of each record, taken only if its sequence number was the same before and
// after.
#include "driver/cmdlog.h"

#include <algorithm>
#include <cstring>

namespace pynvme::driver {

CmdLog::CmdLog(uint16_t sqid) : records_(std::make_unique<Record[]>(kRecords)), sqid_(sqid) {}

bool CmdLog::read(uint64_t sequence, LoggedCommand* out) const {
  const Record& record = records_[sequence % kRecords];
  if (record.sequence.load(std::memory_order_acquire) != sequence) return false;
  // The completion time is written last, so what it announces is there.
  const uint64_t complete_ns = record.complete_ns.load(std::memory_order_acquire);
  uint64_t sqe[kSqeWords];
  for (size_t i = 0; i < kSqeWords; ++i) sqe[i] = record.sqe[i].load(std::memory_order_acquire);
  const uint64_t submit_ns = record.submit_ns.load(std::memory_order_acquire);
  const uint64_t cqe[2] = {record.cqe[0].load(std::memory_order_acquire),
                           record.cqe[1].load(std::memory_order_acquire)};
  if (record.sequence.load(std::memory_order_relaxed) != sequence) return false;

  *out = LoggedCommand{};
  out->sqid = sqid_;
  out->sequence = sequence;
  out->submit_ns = submit_ns;
  out->complete_ns = complete_ns;
  std::memcpy(&out->sqe, sqe, sizeof(sqe));
  if (complete_ns == 0) {
    out->state = CommandState::kOutstanding;
    return true;
  }
  std::memcpy(&out->cqe, cqe, sizeof(cqe));
  // No device names queue FFFFh (§3.1.3: 65535 queues at most, admin included), so all ones are
  // ours.
  const bool ours = cqe[0] == UINT64_MAX && cqe[1] == UINT64_MAX;
  out->state = ours ? CommandState::kTimedOut : CommandState::kCompleted;
  return true;
}

std::vector<LoggedCommand> CmdLog::latest(size_t count) const {
  const uint64_t next = next_.value.load(std::memory_order_acquire);
  const uint64_t kept = std::min<uint64_t>(next - 1, kRecords);
  const uint64_t wanted = count == 0 ? kept : std::min<uint64_t>(count, kept);
  std::vector<LoggedCommand> commands;
  commands.reserve(wanted);
  for (uint64_t sequence = next - wanted; sequence < next; ++sequence) {
    LoggedCommand command;
    if (read(sequence, &command)) commands.push_back(command);
  }
  return commands;
}

std::vector<LoggedCommand> latest_of_each(const std::vector<std::shared_ptr<const CmdLog>>& logs,
                                          size_t count) {
  std::vector<LoggedCommand> all;
  for (const auto& log : logs) {
    const auto commands = log->latest(count);
    all.insert(all.end(), commands.begin(), commands.end());
  }
  // What was not rung yet comes last.
  const auto when = [](const LoggedCommand& command) {
    return command.submit_ns == 0 ? UINT64_MAX : command.submit_ns;
  };
  std::stable_sort(all.begin(), all.end(), [&](const LoggedCommand& a, const LoggedCommand& b) {
    return when(a) < when(b);
  });
  return all;
}

std::vector<LoggedCommand> merged(const std::vector<std::shared_ptr<const CmdLog>>& logs,
                                  size_t count) {
  auto all = latest_of_each(logs, count);
  if (count != 0 && all.size() > count) {
    all.erase(all.begin(), all.end() - static_cast<std::ptrdiff_t>(count));
  }
  return all;
}

}  // namespace pynvme::driver
