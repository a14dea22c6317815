#include "bindings/namespace.h"

#include <chrono>
#include <string>
#include <utility>

#include <nanobind/stl/string.h>

#include "base/log.h"
#include "bindings/bind.h"
#include "bindings/bool_arg.h"
#include "bindings/errors.h"
#include "bindings/int_arg.h"
#include "bindings/namespace_doc.h"
#include "driver/errors.h"
#include "spec/opcode.h"

namespace nb = nanobind;
using namespace nb::literals;  // NOLINT(google-build-using-namespace): argument names

namespace pynvme::bindings {
namespace {

// How long a command waits for another one on the same LBA. Commands take less unless the device
// hangs.
constexpr uint64_t kConflictNs = 200'000'000;

void construct(Namespace* self, const Controller& nvme, const IntArg& nsid,
               const IntArg& nlba_verify) {
  uint32_t id = 0;
  uint64_t tracked = 0;
  try {
    id = static_cast<uint32_t>(nsid.in("nsid", 1, UINT32_MAX - 1));
    tracked = nlba_verify.u64("nlba_verify");
  } catch (nb::python_error& error) {
    throw_argument_error(nb::cast<std::string>(nb::str(error.value())), "NamespaceArgumentError");
  }
  try {
    new (self) Namespace(nvme, id, tracked);
  } catch (const driver::CommandFailed& error) {
    throw_python("NamespaceCreationError", error.what());
  }
}

}  // namespace

Namespace::Namespace(const Controller& nvme, uint32_t nsid, uint64_t nlba_verify)
    : controller_(nvme.shared()),
      ns_(controller_->open_namespace(nsid, nlba_verify)),
      session_(nvme.session()),
      nsid_(nsid) {}

void Namespace::throw_closed() const {
  throw_argument_error("namespace " + std::to_string(nsid_) + " of " +
                       controller_->device()->address() + " is closed. Make a new Namespace().");
}

void Namespace::send(Qpair& qpair, driver::Command command, const Buffer* buffer, bool stamped,
                     nb::handle callback) {
  if (&qpair.open() != controller_.get()) {
    throw_argument_error("the Qpair belongs to " + qpair.open().device()->address() +
                         ", the Namespace to " + controller_->device()->address());
  }
  const OpenNamespace& ns = state();
  auto& queue = qpair.queue();
  const bool has_callback = !callback.is_none();
  if (ns.lba.metadata_bytes != 0 && command.sqe.nsid == ns.nsid) [[unlikely]]
    command.metadata_bytes = driver::separate_metadata_bytes(command.sqe, ns.lba);
  // A read that nobody checks leaves no trace.
  const bool of_all =
      command.sqe.opcode == spec::io::kFlush && command.sqe.nsid == spec::kNsidBroadcast;
  const bool tracked = ns.integrity != nullptr && (command.sqe.nsid == ns.nsid || of_all) &&
                       (command.sqe.opcode != spec::io::kRead || ns.integrity->checking());
  if (tracked || has_callback) {
    auto context = std::make_shared<CommandContext>();
    if (has_callback) context->callback = Callback::make(callback, qpair.callbacks());
    if (tracked) {
      qpair.check_room();
      context->tracked.emplace(ns.integrity, command.sqe, command.data.data, command.data.size,
                               ns.lba);
      BufferMemory* const memory = stamped && buffer != nullptr ? buffer->memory().get() : nullptr;
      begin(qpair, *context, memory, command.sqe.fuse() != spec::Fuse::kNormal);
      if (memory != nullptr) {
        context->stamped = buffer->memory();
        memory->stamped_writes.fetch_add(1, std::memory_order_relaxed);
      }
    }
    command.hook = std::move(context);
  }
  std::optional<PythonWait> wait;
  if (controller_->is_served()) [[unlikely]]
    wait.emplace();
  queue.send(std::move(command));
}

// Waits while another command is under way for the same LBAs, or while the buffer still belongs to
// an earlier write with other stamps. Completions are reaped meanwhile and delivered by their
// waitdone(). A fused command never waits: the device starts it with its partner only.
void Namespace::begin(Qpair& qpair, CommandContext& context, BufferMemory* stamped, bool fused) {
  const auto free = [stamped] {
    return stamped == nullptr || stamped->stamped_writes.load(std::memory_order_relaxed) == 0;
  };
  if (free() && context.tracked->begin(stamped != nullptr)) [[likely]]
    return;
  if (!fused) {
    const auto& clock = base::Clock::real();
    const uint64_t start = clock.now_ns();
    do {
      for (DeviceUser* const user : controller_->users()) {
        if (auto* const queue = user->script_queue()) queue->reap();
      }
      qpair.reaped_ahead();
      if (free() && context.tracked->begin(stamped != nullptr)) {
        qpair.check_room();
        return;
      }
      const PythonWait wait;  // others may have to run before the conflict is over
    } while (clock.now_ns() - start < kConflictNs);
    base::log(base::LogLevel::kWarning,
              "%s: LBA 0x%llx: another command is under way for the same LBAs; what they hold "
              "afterwards is not known",
              controller_->device()->address().c_str(),
              static_cast<unsigned long long>(context.tracked->access().slba));
  }
  context.tracked->begin_anyway(stamped != nullptr);
}

void bind_namespace(nb::module_& m) {
  nb::class_<Namespace> ns(m, "Namespace", nb::is_weak_referenceable());
  ns.def("__init__", construct, "nvme"_a, "nsid"_a = 1, "nlba_verify"_a = 0)
      .def_prop_ro("nsid", &Namespace::nsid, doc::kNsid)
      .def_prop_ro(
          "capacity", [](Namespace& self) { return self.state().lba_count; }, doc::kCapacity)
      .def_prop_ro(
          "sector_size", [](Namespace& self) { return self.state().lba.data_bytes; },
          doc::kSectorSize)
      .def(
          "cmdname",
          [](Namespace&, const IntArg& opcode) {
            return spec::io_command_name(opcode.u8("opcode"));
          },
          "opcode"_a, doc::kIoCmdname)
      .def(
          "verify_enable",
          [](Namespace& self, BoolArg enable) {
            auto& state = self.state();
            if (state.integrity == nullptr) return false;
            state.integrity->set_checking(enable);
            return true;
          },
          "enable"_a = BoolArg{true}, doc::kVerifyEnable)
      .def("close", &Namespace::close, doc::kNamespaceClose);
  bind_io_commands(ns);

  m.def("namespace_refresh", [](Namespace& self) { self.state(); });
}

}  // namespace pynvme::bindings
