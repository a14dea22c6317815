// The admin command set (NVMe Base 2.0 §5), one source file a family. Called with the admin
// submission queue's lock held (and the pump's, with the latency model on), so admin commands run
// one by one.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "spec/command.h"
#include "spec/identify.h"
#include "ssd/admin/features.h"
#include "ssd/admin/telemetry.h"
#include "ssd/fabric.h"
#include "ssd/frontend/prp.h"
#include "ssd/nvm/namespaces.h"
#include "ssd/parts.h"
#include "ssd/status_word.h"

namespace pynvme::ssd {

// As in configuration space.
inline constexpr uint16_t kPciVendor = 0x1D1D;
inline constexpr uint16_t kPciDevice = 0x1F1F;
inline constexpr uint16_t kPciSubsystem = 0x0001;

class Admin {
 public:
  explicit Admin(const Parts& parts);

  Outcome execute(const spec::Sqe& sqe, uint64_t now_ns);
  // A Controller Level Reset.
  void reset(uint64_t now_ns);
  // For the Persistent Event log: the controller starts, after a reset or with power.
  void log_power_on_or_reset(bool power_on, uint64_t now_ns);
  // For the Changed Namespace List and its event; also when another controller changed it.
  void note_namespace_change(uint32_t nsid);

 private:
  // faults/admin_faults.cc: how the command ends, when a fault says so.
  std::optional<Outcome> execute_faulty(const spec::Sqe& sqe);

  // admin_queues.cc
  Outcome create_io_cq(const spec::Sqe& sqe);
  Outcome create_io_sq(const spec::Sqe& sqe);
  Outcome delete_io_cq(const spec::Sqe& sqe);
  Outcome delete_io_sq(const spec::Sqe& sqe, uint64_t now_ns);
  uint32_t allocated_sqs() const;
  uint32_t allocated_cqs() const;

  // admin_abort.cc
  Outcome abort(const spec::Sqe& sqe, uint64_t now_ns);
  bool abort_waiting(uint16_t sqid, uint16_t cid, uint64_t now_ns);
  void post_aborted(uint16_t sqid, uint16_t cid, uint64_t now_ns);

  // admin_identify.cc
  Outcome identify(const spec::Sqe& sqe);
  Outcome identify_namespace(const spec::Sqe& sqe);
  Outcome identify_descriptors(const spec::Sqe& sqe);
  Outcome identify_list(const spec::Sqe& sqe, bool allocated);
  Outcome identify_controllers(const spec::Sqe& sqe, bool of_namespace);
  Outcome identify_command_set(const spec::Sqe& sqe);
  spec::IdentifyController describe_controller() const;
  void describe_fabric(spec::IdentifyController& c) const;
  spec::IdentifyNamespace describe_namespaces() const;
  spec::IdentifyNamespace describe_namespace(const Namespace& ns) const;

  // admin_features.cc
  Outcome get_features(const spec::Sqe& sqe, uint64_t now_ns);
  Outcome set_features(const spec::Sqe& sqe, uint64_t now_ns);
  Outcome read_feature(const spec::Sqe& sqe, const FeatureValues& values, uint64_t now_ns);
  void apply_features();

  // admin_features_set.cc
  Outcome write_feature(const spec::Sqe& sqe, FeatureValues& values, uint64_t now_ns);
  uint16_t set_power_state(uint32_t value, FeatureValues& values);
  uint16_t set_temperature_threshold(uint32_t value, FeatureValues& values);
  void set_write_cache(bool on, FeatureValues& values);
  Outcome set_number_of_queues(uint32_t value, FeatureValues& values);
  uint16_t set_idle_transitions(const spec::Sqe& sqe, FeatureValues& values);
  uint16_t set_thermal_management(uint32_t value, FeatureValues& values);

  // admin_features_namespace.cc
  Outcome read_namespace_feature(const spec::Sqe& sqe, const FeatureValues& values);
  Outcome write_namespace_feature(const spec::Sqe& sqe, FeatureValues& values);
  uint16_t set_write_protection(uint32_t state, const std::vector<Namespace*>& concerned);

  // admin_logs.cc
  Outcome get_log_page(const spec::Sqe& sqe, uint64_t now_ns);
  bool log_page(uint8_t lid, uint64_t now_ns, std::vector<uint8_t>* page) const;
  bool log_page_of_version_2(uint8_t lid, std::vector<uint8_t>* page) const;
  std::vector<uint8_t> whole_log(uint8_t lid, uint64_t now_ns) const;
  Telemetry::Areas telemetry_areas(uint64_t now_ns) const;
  void capture_controller_telemetry(uint64_t now_ns);

  // admin_events.cc
  Outcome get_persistent_events(const spec::Sqe& sqe, uint64_t offset, uint64_t bytes,
                                uint64_t now_ns);
  void log_format(const spec::Sqe& sqe, uint16_t status, uint64_t now_ns);
  void log_firmware_commit(const spec::Sqe& sqe, const std::string& old_revision, uint16_t status,
                           uint64_t now_ns);

  // admin_namespaces.cc
  Outcome namespace_management(const spec::Sqe& sqe, uint64_t now_ns);
  Outcome create_namespace(const spec::Sqe& sqe, uint64_t now_ns);
  Outcome delete_namespaces(const spec::Sqe& sqe, uint64_t now_ns);
  Outcome namespace_attachment(const spec::Sqe& sqe, uint64_t now_ns);
  bool names_controllers(const spec::ControllerList& list) const;

  // admin_lba_status.cc
  Outcome get_lba_status(const spec::Sqe& sqe);

  // admin_format.cc
  Outcome format(const spec::Sqe& sqe, uint64_t now_ns);

  // admin_security.cc
  Outcome security_receive(const spec::Sqe& sqe);
  Outcome security_send(const spec::Sqe& sqe);

  // admin_directives.cc
  Outcome directive_receive(const spec::Sqe& sqe);
  Outcome directive_send(const spec::Sqe& sqe);

  // admin_mi.cc
  static bool mi_command_supported(uint8_t opcode);
  Outcome mi_command(const spec::Sqe& sqe, uint64_t now_ns);
  Outcome mi_respond(const spec::Sqe& sqe, const void* data, uint32_t bytes);
  Outcome mi_read_data_structure(const spec::Sqe& sqe);
  Outcome mi_subsystem_health(const spec::Sqe& sqe, uint64_t now_ns);
  Outcome mi_controller_health(const spec::Sqe& sqe, uint64_t now_ns);
  Outcome mi_configuration(const spec::Sqe& sqe, bool set);
  Outcome mi_vpd(const spec::Sqe& sqe, bool write);

  // admin_shadow.cc
  Outcome doorbell_buffer_config(const spec::Sqe& sqe);

  // admin_maintenance.cc
  Outcome sanitize(const spec::Sqe& sqe, uint64_t now_ns);
  Outcome device_self_test(const spec::Sqe& sqe, uint64_t now_ns);

  // admin_firmware.cc
  Outcome firmware_download(const spec::Sqe& sqe);
  Outcome firmware_commit(const spec::Sqe& sqe, uint64_t now_ns);

  // Moves `bytes` between the command's data pointer and a buffer. A transfer that is longer ends
  // with zeroes: it is never built in memory, because the host chooses its length.
  uint16_t to_host(const spec::Sqe& sqe, const void* from, uint64_t bytes) {
    return to_host(sqe, from, bytes, bytes);
  }
  uint16_t to_host(const spec::Sqe& sqe, const void* from, uint64_t bytes, uint64_t transfer);
  uint16_t from_host(const spec::Sqe& sqe, void* to, uint64_t bytes);
  bool exceeds_mdts(uint64_t bytes) const;

  Parts parts_;
  DataPointer data_;
  std::vector<uint32_t> changed_namespaces_;
  Telemetry telemetry_;
};

}  // namespace pynvme::ssd
