// nvme.target: the embedded SSD as an NVMe/TCP target, in a thread of its own.
#include "pcie/embedded/target.h"

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "base/crypto.h"
#include "base/dhchap.h"
#include "base/tls/psk.h"
#include "bindings/bind.h"
#include "bindings/faults.h"
#include "bindings/wire_fault.h"
#include "spec/auth.h"

namespace nb = nanobind;
using namespace nb::literals;  // NOLINT(google-build-using-namespace): argument names

namespace pynvme::bindings {
namespace {

struct Target {
  Target(const std::string& ssd, pcie::TargetOptions options)
      : server([&] {
          // Opening a file may take a while.
          const nb::gil_scoped_release no_gil;
          return pcie::start_target(ssd, std::move(options));
        }()) {}
  ~Target() { close(); }
  Target(const Target&) = delete;
  Target& operator=(const Target&) = delete;

  void close() {
    const nb::gil_scoped_release no_gil;
    server.reset();
  }
  pcie::TargetServer& open() const {
    if (server == nullptr) throw nb::value_error("the target is closed");
    return *server;
  }

  std::unique_ptr<pcie::TargetServer> server;
};

template <class Id, size_t n>
Id one_of(const std::string& what, const std::string& name, Id first,
          const char* const (&names)[n]) {
  std::string possible;
  for (size_t i = 0; i < n; ++i) {
    if (name == names[i]) return static_cast<Id>(static_cast<size_t>(first) + i);
    possible.append(i == 0 ? "" : ", ").append(names[i]);
  }
  throw nb::value_error((what + " " + name + "; possible: " + possible).c_str());
}

void add_dhchap(pcie::TargetOptions& options, const std::string& hostnqn, const std::string& secret,
                const std::string& ctrl_secret) {
  const auto parse = [&](const char* whose, const std::string& text) {
    try {
      return text.empty() ? base::DhchapSecret() : base::parse_dhchap_secret(text);
    } catch (const std::invalid_argument& error) {
      throw nb::value_error(
          (std::string(whose) + " secret for " + hostnqn + ": " + error.what()).c_str());
    }
  };
  base::require_crypto("DH-HMAC-CHAP");
  if (secret.empty()) throw nb::value_error(("no secret for " + hostnqn).c_str());
  options.dhchap.push_back(
      {hostnqn, parse("the host's", secret), parse("the controller's", ctrl_secret)});
}

}  // namespace

void bind_target(nb::module_& m) {
  using Options = pcie::TargetOptions;
  nb::class_<Options>(m, "TargetOptions")
      .def(nb::init<>())
      .def_rw("address", &Options::address)
      .def_rw("port", &Options::port)
      .def_rw("nqn", &Options::nqn)
      .def_rw("hosts", &Options::hosts)
      .def("add_dhchap", &add_dhchap, "hostnqn"_a, "secret"_a, "ctrl_secret"_a)
      .def(
          "set_dhchap_preference",
          [](Options& self, const std::string& hash, const std::string& group) {
            namespace auth = spec::auth;
            self.dhchap_preference = {
                one_of("dhchap_hash", hash, auth::HashId::kSha256, auth::kHashNames),
                one_of("dhchap_group", group, auth::GroupId::kNull, auth::kGroupNames)};
          },
          "hash"_a, "group"_a)
      .def_rw("advertise", &Options::advertise)
      .def_rw("in_capsule_bytes", &Options::in_capsule_bytes)
      .def_rw("h2c_bytes_max", &Options::h2c_bytes_max)
      .def_rw("c2h_bytes_max", &Options::c2h_bytes_max)
      .def_rw("r2t_bytes_max", &Options::r2t_bytes_max)
      .def_rw("cpda", &Options::cpda)
      .def_rw("header_digest", &Options::header_digest)
      .def_rw("data_digest", &Options::data_digest)
      .def_rw("connections_max", &Options::connections_max)
      .def_rw("connect_timeout_ms", &Options::connect_timeout_ms)
      .def_rw("stall_timeout_ms", &Options::stall_timeout_ms)
      .def_rw("term_timeout_ms", &Options::term_timeout_ms)
      .def_rw("spin_us", &Options::spin_us)
      .def(
          "set_tls_key",
          [](Options& self, const std::string& text_or_path) {
            base::require_crypto("TLS");
            self.tls_key =
                std::make_shared<base::tls::PreSharedKey>(base::tls::load_key(text_or_path));
          },
          "text_or_path"_a);

  nb::class_<Target>(m, "Target")
      .def(nb::init<const std::string&, Options>(), "ssd"_a, "options"_a)
      .def("close", &Target::close)
      .def_prop_ro("closed", [](const Target& self) { return self.server == nullptr; })
      .def_prop_ro("port", [](const Target& self) { return self.open().port(); })
      .def_prop_ro("nqn", [](const Target& self) { return self.open().nqn(); })
      .def("counts",
           [](const Target& self) {
             const auto counts = self.open().counts();
             nb::dict result;
             result["connections"] = counts.connections;
             result["controllers"] = counts.controllers;
             result["accepted"] = counts.accepted;
             result["faults"] = counts.faults;
             return result;
           })
      .def(
          "add_fault",
          [](const Target& self, const std::string& action, int pdu, int qid, uint32_t skip,
             uint32_t count, uint32_t delay_ms) {
            self.open().wire_faults().add(wire_fault(action, pdu, qid, skip, count, delay_ms));
          },
          "action"_a, "pdu"_a, "qid"_a, "skip"_a, "count"_a, "delay_ms"_a)
      .def("clear_faults", [](const Target& self) { self.open().wire_faults().clear(); });

  // Faults of its SSD, as those of an Ssd are reached.
  m.def("ssd_plant_fault",
        [](const Target& self, const std::string& match, const std::string& action) {
          return self.open().plant_fault(match, action);
        });
  m.def("ssd_clear_fault",
        [](const Target& self, uint64_t id) { return self.open().clear_fault(id); });
  m.def("ssd_clear_faults", [](const Target& self) { self.open().clear_ssd_faults(); });
  m.def("ssd_faults", [](const Target& self) {
    nb::list ids;
    for (const auto& state : self.open().ssd_faults()) ids.append(state.id);
    return ids;
  });
  m.def("ssd_fault", [](const Target& self, uint64_t id) -> nb::object {
    const auto state = self.open().ssd_fault(id);
    if (!state) return nb::none();
    return fault_record(*state);
  });
}

}  // namespace pynvme::bindings
