#include "bindings/faults.h"

#include <string>

#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>

#include "pcie/embedded/faults.h"
#include "spec/opcode.h"

namespace nb = nanobind;

namespace pynvme::bindings {
namespace {

nb::dict firing_record(const pcie::FaultFiring& firing) {
  nb::dict out;
  out["time_us"] = static_cast<double>(firing.time_ns) / 1000;
  out["match"] = firing.match;
  out["qid"] = firing.qid;
  out["cid"] = firing.cid;
  out["opcode"] = firing.opcode;
  out["command"] = firing.qid == 0 ? spec::admin_command_name(firing.opcode)
                                   : spec::io_command_name(firing.opcode);
  out["nsid"] = firing.nsid;
  const bool has_lbas = firing.nlb != 0;
  out["slba"] = has_lbas ? nb::cast(firing.slba) : nb::none();
  out["nlb"] = has_lbas ? nb::cast(firing.nlb) : nb::none();
  out["lba"] = firing.lba ? nb::cast(*firing.lba) : nb::none();
  out["to_lba"] = firing.to_lba ? nb::cast(*firing.to_lba) : nb::none();
  out["to_nsid"] = firing.to_nsid ? nb::cast(*firing.to_nsid) : nb::none();
  out["text"] = firing.text;
  return out;
}

const char* scope_text(pcie::FaultScope scope) {
  switch (scope) {
    case pcie::FaultScope::kData:
      return "Read, Write";
    case pcie::FaultScope::kRead:
      return "Read";
    case pcie::FaultScope::kWrite:
      return "Write";
    case pcie::FaultScope::kSanitize:
      return "Sanitize";
    case pcie::FaultScope::kAny:
      return "all";
  }
  return "";
}

nb::list match_table() {
  nb::list rows;
  for (const auto& key : pcie::fault_match_keys()) {
    rows.append(nb::make_tuple(key.name, key.values, key.help));
  }
  return rows;
}

nb::list action_table() {
  nb::list rows;
  for (const auto& info : pcie::fault_actions()) {
    nb::list keys;
    if (info.has_where) {
      keys.append(nb::make_tuple(
          "where",
          "`read`, `write` or `media`; as the command is, `read` or `write`, when left out"));
    }
    for (const auto& key : info.keys) keys.append(nb::make_tuple(key.name, key.help));
    rows.append(
        nb::make_tuple(info.name, scope_text(info.scope), info.by_default, keys, info.help));
  }
  return rows;
}

}  // namespace

nb::dict fault_record(const ssd::FaultState& state) {
  nb::dict out;
  out["id"] = state.id;
  out["match"] = state.match;
  out["action"] = state.action;
  out["seed"] = state.seed;
  out["armed"] = state.armed;
  out["matched"] = state.matched;
  out["fired"] = state.fired;
  nb::list firings;
  for (const auto& firing : state.firings) firings.append(firing_record(firing));
  out["commands"] = firings;
  return out;
}

void bind_fault_tables(nb::module_& m) {
  m.def("fault_matches", &match_table, "Name, values and meaning of each key of a fault's match.");
  m.def("fault_actions", &action_table,
        "Name, commands, default commands, keys and meaning of each action of a fault.");
}

}  // namespace pynvme::bindings
