#include "bindings/miscompare.h"

#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "base/log.h"
#include "bindings/cmdlog_records.h"
#include "spec/opcode.h"

namespace nb = nanobind;

namespace pynvme::bindings {
namespace {

template <class Value>
nb::object or_none(bool there, Value value) {
  return there ? nb::cast(value) : nb::none();
}

nb::bytes bytes_of(const std::vector<uint8_t>& data) { return nb::bytes(data.data(), data.size()); }

nb::object origin_record(const std::optional<verify::Origin>& origin) {
  if (!origin) return nb::none();
  nb::dict out;
  out["device"] = origin->device;
  out["nsid"] = origin->nsid;
  out["lba"] = origin->lba;
  out["token"] = or_none(origin->token != 0, origin->token);
  out["writer"] = or_none(!origin->writer.empty(), origin->writer);
  out["queue"] = or_none(origin->sqid != 0, origin->sqid);
  out["cid"] = or_none(origin->cid != 0xFFFF, origin->cid);
  out["slba"] = or_none(origin->logged, origin->slba);
  out["nlb"] = or_none(origin->logged, origin->nlb);
  out["time_us"] = or_none(origin->time_ns != 0, static_cast<double>(origin->time_ns) / 1000);
  out["zeroes"] = origin->zeroes;
  return out;
}

const char* expected_state(uint32_t value) {
  using verify::LbaTable;
  if (LbaTable::is_crc(value)) return "written";
  if (value == LbaTable::kZeroed) return "zeroed";
  return "one of several";
}

}  // namespace

nb::dict miscompare_record(const verify::Miscompare& miscompare) {
  const verify::Finding& finding = miscompare.finding;
  nb::dict out;
  out["device"] = miscompare.device;
  out["nsid"] = miscompare.nsid;
  out["queue"] = miscompare.sqid;
  out["cid"] = miscompare.sqe.cid;
  out["opcode"] = miscompare.sqe.opcode;
  out["command"] = spec::io_command_name(miscompare.sqe.opcode);
  out["slba"] = miscompare.sqe.slba();
  out["nlb"] = (miscompare.sqe.cdw12 & 0xFFFF) + 1;
  out["time_us"] = static_cast<double>(miscompare.time_ns) / 1000;
  out["lba_bytes"] = miscompare.lba_bytes;
  out["lba"] = finding.lba;
  out["bad_lbas"] = finding.bad_lbas;
  out["classification"] = verify::damage_name(finding.damage);
  out["certain"] = finding.certain;
  out["text"] = finding.text;
  out["expected_state"] = expected_state(finding.expected_value);
  out["expected_crc"] =
      or_none(verify::LbaTable::is_crc(finding.expected_value), finding.expected_value);
  out["got_crc"] = finding.got_crc;
  out["found_write"] = origin_record(finding.found);
  out["expected_write"] = origin_record(finding.expected);
  nb::list flips;
  for (const verify::Flip& flip : finding.flips) flips.append(nb::make_tuple(flip.byte, flip.mask));
  out["flips"] = flips;
  out["flipped_bits"] = finding.flipped_bits;
  out["boundary_byte"] =
      or_none(finding.boundary_byte.has_value(), finding.boundary_byte.value_or(0));
  out["boundary_lba"] = or_none(finding.boundary_lba.has_value(), finding.boundary_lba.value_or(0));
  out["head_is_new"] = finding.head_is_new;
  out["shift"] = finding.shift;
  out["got"] = bytes_of(finding.got);
  out["expected"] = or_none(!finding.wanted.empty(), bytes_of(finding.wanted));
  out["expected_from"] = finding.wanted_from;
  out["old"] = or_none(!finding.old.empty(), bytes_of(finding.old));
  out["commands"] = cmdlog_records(miscompare.commands);
  return out;
}

std::string report_miscompare(const verify::Miscompare& miscompare) {
  try {
    return nb::cast<std::string>(
        nb::module_::import_("nvme.forensics").attr("report")(miscompare_record(miscompare)));
  } catch (nb::python_error& error) {
    // The miscompare itself is reported in any case.
    base::log(base::LogLevel::kWarning, "no report of a miscompare: %s", error.what());
    return {};
  }
}

}  // namespace pynvme::bindings
