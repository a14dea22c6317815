// Command logs for Python: decoded records as dicts. What is made of them (text, JSON lines) is in
// python/nvme/cmdlog.py.
#include "driver/cmdlog.h"

#include <array>
#include <bit>
#include <cstdint>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>

#include "base/clock.h"
#include "bindings/bind.h"
#include "bindings/cmdlog_records.h"
#include "bindings/controller.h"
#include "bindings/int_arg.h"
#include "bindings/qpair.h"
#include "driver/cmdlog_fields.h"
#include "driver/cmdlog_text.h"
#include "driver/pdu_log.h"
#include "spec/opcode.h"
#include "spec/status.h"

namespace nb = nanobind;
using namespace nb::literals;  // NOLINT(google-build-using-namespace): argument names

namespace pynvme::bindings {
namespace {

const char* state_of(const driver::LoggedCommand& command) {
  switch (command.state) {
    case driver::CommandState::kCompleted:
      return "completed";
    case driver::CommandState::kTimedOut:
      return "timed out";
    default:
      return command.submit_ns == 0 ? "not rung" : "outstanding";
  }
}

nb::object microseconds(uint64_t ns) {
  return ns == 0 ? nb::none() : nb::object(nb::float_(static_cast<double>(ns) / 1000));
}

// The dwords of an entry, as the wire has them.
template <class Entry>
nb::list dwords_of(const Entry& entry) {
  nb::list dwords;
  for (const uint32_t dword : std::bit_cast<std::array<uint32_t, sizeof(Entry) / 4>>(entry)) {
    dwords.append(dword);
  }
  return dwords;
}

}  // namespace

nb::dict command_of(const spec::Sqe& sqe, uint16_t sqid) {
  nb::dict out;
  out["queue"] = sqid;
  out["cid"] = sqe.cid;
  out["opcode"] = sqe.opcode;
  out["command"] =
      sqid == 0 ? spec::admin_command_name(sqe.opcode) : spec::io_command_name(sqe.opcode);
  out["nsid"] = sqe.nsid;
  nb::dict fields;
  for (const auto& field : driver::command_fields(sqe, sqid)) fields[field.name] = field.value;
  out["fields"] = fields;
  out["prp1"] = sqe.prp1;
  out["prp2"] = sqe.prp2;
  out["mptr"] = sqe.mptr;
  out["cdws"] = dwords_of(sqe);
  return out;
}

void add_completion(nb::dict& out, const spec::Cqe& cqe) {
  char status[8];
  std::snprintf(status, sizeof status, "%02x/%02x", cqe.sct(), cqe.sc());
  out["status"] = status;
  out["status_text"] = spec::status_text(cqe.sct(), cqe.sc());
  out["dnr"] = cqe.dnr();
  out["cdw0"] = cqe.cdw0;
  out["sqhd"] = cqe.sqhd;
  out["cpl"] = dwords_of(cqe);
}

namespace {

using Pdus = std::map<uint16_t, std::vector<driver::LoggedPdu>>;

// On a fabric: what travelled for each queue.
const std::vector<driver::LoggedPdu>& pdus_of(driver::Controller& driver, uint16_t sqid,
                                              Pdus& known) {
  const auto [found, is_new] = known.try_emplace(sqid);
  if (is_new) {
    if (const auto log = driver.transport().pdu_log(sqid)) found->second = log->all();
  }
  return found->second;
}

nb::list pdus_of_command(const driver::LoggedCommand& command,
                         const std::vector<driver::LoggedPdu>& pdus) {
  nb::list lines;
  const uint64_t end_ns = command.complete_ns == 0 ? UINT64_MAX : command.complete_ns;
  for (const driver::LoggedPdu& pdu : pdus) {
    if (pdu.cid != command.sqe.cid || pdu.time_ns < command.submit_ns || pdu.time_ns > end_ns) {
      continue;
    }
    lines.append(driver::pdu_text(pdu));
  }
  return lines;
}

}  // namespace

nb::list cmdlog_records(const std::vector<driver::LoggedCommand>& commands,
                        driver::Controller* driver) {
  nb::list records;
  const bool fabric = driver != nullptr && driver->transport().function() == nullptr;
  Pdus pdus;
  for (const auto& command : commands) {
    nb::dict out = command_of(command.sqe, command.sqid);
    out["sent_us"] = microseconds(command.submit_ns);
    out["completed_us"] = microseconds(command.complete_ns);
    out["state"] = state_of(command);
    if (command.state == driver::CommandState::kCompleted) add_completion(out, command.cqe);
    out["text"] = driver::logged_text(command);
    if (fabric && command.submit_ns != 0) {
      out["pdus"] = pdus_of_command(command, pdus_of(*driver, command.sqid, pdus));
    }
    records.append(out);
  }
  return records;
}

namespace {

// The two moments of a command, as the trace of a device has its own.
nb::list events_of(const std::vector<driver::LoggedCommand>& commands) {
  nb::list events;
  for (const auto& command : commands) {
    if (command.submit_ns == 0) continue;
    nb::dict sent = command_of(command.sqe, command.sqid);
    sent["event"] = "sent";
    sent["time_us"] = microseconds(command.submit_ns);
    sent["text"] = "sent: " + driver::command_text(command.sqe, command.sqid);
    events.append(sent);
    if (command.state == driver::CommandState::kOutstanding) continue;
    const bool completed = command.state == driver::CommandState::kCompleted;
    nb::dict over;
    over["event"] = completed ? "completed" : "timed out";
    over["time_us"] = microseconds(command.complete_ns);
    over["queue"] = command.sqid;
    over["cid"] = command.sqe.cid;
    over["latency_us"] = microseconds(command.complete_ns - command.submit_ns);
    if (completed) add_completion(over, command.cqe);
    over["text"] = completed ? "completed: " + driver::completion_text(command.cqe)
                             : "timed out: sqid:" + std::to_string(command.sqid) +
                                   " cid:" + std::to_string(command.sqe.cid);
    events.append(over);
  }
  return events;
}

}  // namespace

void bind_cmdlog(nb::module_& m) {
  m.def("qpair_cmdlog", [](const Qpair& self, const IntArg& count) {
    return cmdlog_records(self.queue().pair().cmdlog()->latest(count.u32("count")),
                          &self.open().driver());
  });
  m.def("controller_cmdlog", [](const Controller& self, const IntArg& count) {
    return cmdlog_records(self.driver().admin().pair().cmdlog()->latest(count.u32("count")),
                          &self.driver());
  });
  m.def(
      "cmdlog_merged",
      [](const Controller& self, const IntArg& count, const IntArg& of_each) {
        const auto logs = self.driver().cmdlogs();
        const uint32_t each = of_each.u32("of_each");
        if (each == 0)
          return cmdlog_records(driver::merged(logs, count.u32("count")), &self.driver());
        return cmdlog_records(driver::latest_of_each(logs, each), &self.driver());
      },
      "nvme"_a, "count"_a = 0, "of_each"_a = 0,
      "The commands of all queues of a controller by time: the newest `count`, or those that each "
      "queue sent last.");
  m.def(
      "host_events",
      [](const Controller& self) { return events_of(driver::merged(self.driver().cmdlogs())); },
      "nvme"_a,
      "When the commands of all queues were sent, and when their completions were taken.");
  m.def(
      "clock_us", [] { return static_cast<double>(base::Clock::real().now_ns()) / 1000; },
      "The clock of all command logs, in microseconds.");
}

}  // namespace pynvme::bindings
