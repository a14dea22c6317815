// nvme.IOWorker: a workload with a native thread of its own. Arguments of many shapes become a
// Workload in python/nvme/ioworker.py; here is its life: start, close, Ctrl-C, and the device going
// away.
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include "base/rng.h"
#include "bindings/bind.h"
#include "bindings/buffer.h"
#include "bindings/command.h"
#include "bindings/errors.h"
#include "bindings/int_arg.h"
#include "bindings/latency_histogram.h"
#include "bindings/miscompare.h"
#include "bindings/namespace.h"
#include "ioworker/runner.h"

namespace nb = nanobind;
using namespace nb::literals;  // NOLINT(google-build-using-namespace): argument names

namespace pynvme::bindings {
namespace {

// How often a waiting script looks for Ctrl-C.
constexpr uint32_t kSignalMs = 5;

class IOWorker final : public DeviceUser {
 public:
  IOWorker(Namespace& ns, ioworker::Workload workload)
      : DeviceUser(ns.session()),
        open_(ns.shared_controller()),
        runner_(std::make_unique<ioworker::Runner>(open_->shared_driver(), std::move(workload),
                                                   target_of(ns), random_u64())),
        live_(runner_->live()),
        seed_(base::Rng::seed_of_first(runner_->seed())) {
    open_->add(this);
  }
  ~IOWorker() override { end_use(); }
  IOWorker(const IOWorker&) = delete;
  IOWorker& operator=(const IOWorker&) = delete;

  void start() {
    if (runner_ == nullptr) throw_argument_error("the IOWorker is closed; make a new one");
    if (started_) throw_argument_error("the IOWorker was started before; make a new one");
    started_ = true;
    const PythonWait wait;
    runner_->start();
  }
  bool running() const { return runner_ != nullptr && runner_->running(); }
  void stop() {
    if (runner_ != nullptr) runner_->stop();
  }

  ioworker::LiveFigures live() const { return live_->read(); }
  // After srand() with it, the first IOWorker of the same arguments sends the same commands.
  uint64_t seed() const { return seed_; }

  // Ctrl-C stops the worker, and its queue is gone when KeyboardInterrupt is raised.
  const ioworker::Result& close() {
    if (runner_ == nullptr) return result_;
    {
      const PythonWait wait;
      try {
        while (!runner_->wait(kSignalMs)) PythonWait::idle();
      } catch (...) {
        if (PythonWait* const current = PythonWait::current()) current->release();
        runner_->stop();
        finish();
        if (PythonWait* const current = PythonWait::current()) current->acquire();
        open_->remove(this);
        throw;
      }
      finish();
    }
    open_->remove(this);
    pass_on_log();
    return result_;
  }

  void end_use() noexcept override {
    if (runner_ == nullptr) return;
    open_->remove(this);
    const PythonWait wait;
    const bool cut_short = started_ && runner_->running();
    runner_->stop();
    finish();
    if (cut_short && result_.error == ioworker::HostError::kNone) {
      result_.error = ioworker::HostError::kSuddenlyTerminated;
    }
  }

 private:
  static ioworker::Target target_of(Namespace& ns) {
    const OpenNamespace& state = ns.state();
    if (state.lba_count == 0) {
      throw_argument_error(ns.controller().inactive_text(state.nsid) +
                           " No IOWorker can run on it.");
    }
    auto& driver = ns.controller().driver();
    ioworker::Target target;
    target.nsid = state.nsid;
    target.limits = ioworker::Runner::limits_of(driver, state.lba_count, state.lba);
    target.integrity = state.integrity;
    target.command_timeout_ns = uint64_t{driver.timeout_ms()} * 1'000'000;
    target.device = ns.controller().device()->address();
    target.cmdlogs = [driver = ns.controller().shared_driver()] { return driver->cmdlogs(); };
    return target;
  }

  void finish() {
    result_ = runner_->close();
    runner_.reset();
  }

  std::shared_ptr<OpenController> open_;
  std::unique_ptr<ioworker::Runner> runner_;
  std::shared_ptr<const ioworker::Live> live_;
  uint64_t seed_;
  ioworker::Result result_;
  bool started_ = false;
};

nb::dict result_of(const ioworker::Result& result) {
  nb::dict values;
  values["io_count_read"] = result.io_count_read;
  values["io_count_nonread"] = result.io_count_nonread;
  values["io_count_write"] = result.io_count_write;
  values["mseconds"] = result.mseconds;
  values["latency_max_us"] = result.latency_max_us();
  values["latency_average_us"] = result.latency_average_us();
  values["cpu_usage"] = result.cpu_usage;
  values["error"] = static_cast<int>(result.error);
  return values;
}

// The figures of a worker, finished or at work. Touches nothing that close() may be deleting.
nb::dict progress_of(const IOWorker& worker) {
  const ioworker::LiveFigures live = worker.live();
  const uint64_t count = live.io_count_read + live.io_count_nonread;
  const double seconds = static_cast<double>(live.elapsed_ns) / 1e9;
  const auto per = [](double value, double divisor) { return divisor > 0 ? value / divisor : 0.0; };
  nb::dict values;
  values["running"] = live.running != 0;
  values["seconds"] = seconds;
  values["io_count_read"] = live.io_count_read;
  values["io_count_nonread"] = live.io_count_nonread;
  values["io_count_write"] = live.io_count_write;
  values["outstanding"] = live.outstanding;
  values["iops"] = live.last_second;
  values["iops_average"] = per(static_cast<double>(count), seconds);
  values["latency_min_us"] = static_cast<double>(live.latency_min_ns) / 1000;
  values["latency_average_us"] =
      per(static_cast<double>(live.latency_sum_ns), static_cast<double>(count)) / 1000;
  values["latency_max_us"] = static_cast<double>(live.latency_max_ns) / 1000;
  values["poll_gap_max_us"] = static_cast<double>(live.poll_gap_max_ns) / 1000;
  return values;
}

// What an io_sequence looks like: (time_us, opcode, slba, nlb).
using Traced = std::tuple<uint64_t, uint8_t, uint64_t, uint32_t>;

void construct(IOWorker* self, Namespace& ns,
               const std::vector<std::pair<int64_t, int64_t>>& io_size,
               std::optional<int64_t> lba_step, std::vector<int64_t> lba_align, int64_t lba_random,
               int64_t read_percentage, std::vector<std::pair<uint8_t, int64_t>> op_percentage,
               double time, int64_t qdepth, const IntArg& region_start, const IntArg& region_end,
               int64_t iops, int64_t io_count, const IntArg& lba_start, int64_t qprio,
               std::vector<int64_t> distribution, const IntArg& ptype, const IntArg& pvalue,
               const std::vector<Traced>& io_sequence, bool fw_debug, const IntArg& cmdlog_count) {
  ioworker::Workload workload;
  workload.io_size.clear();
  for (const auto& [nlb, ratio] : io_size) workload.io_size.push_back({nlb, ratio});
  workload.lba_step = lba_step;
  workload.lba_align = std::move(lba_align);
  workload.lba_random = lba_random;
  workload.read_percentage = read_percentage;
  workload.op_percentage = std::move(op_percentage);
  workload.time_s = time;
  workload.qdepth = qdepth;
  workload.region_start = region_start.u64("region_start");
  workload.region_end = region_end.u64("region_end");
  workload.iops = iops;
  workload.io_count = io_count;
  workload.lba_start = lba_start.u64("lba_start");
  workload.qprio = qprio;
  workload.distribution = std::move(distribution);
  workload.ptype = ptype.u32("ptype");
  workload.pvalue = pvalue.u64("pvalue");
  for (const auto& [time_us, opcode, slba, nlb] : io_sequence) {
    workload.io_sequence.push_back({time_us, opcode, slba, nlb});
  }
  workload.fw_debug = fw_debug;
  workload.cmdlog_count = cmdlog_count.u32("output_cmdlog_list");
  new (self) IOWorker(ns, std::move(workload));
}

}  // namespace

void bind_ioworker(nb::module_& m) {
  nb::class_<IOWorker>(m, "IOWorker", nb::is_weak_referenceable())
      .def("__init__", construct, "ns"_a, "io_size"_a, "lba_step"_a.none(), "lba_align"_a,
           "lba_random"_a, "read_percentage"_a, "op_percentage"_a, "time"_a, "qdepth"_a,
           "region_start"_a, "region_end"_a, "iops"_a, "io_count"_a, "lba_start"_a, "qprio"_a,
           "distribution"_a, "ptype"_a, "pvalue"_a, "io_sequence"_a, "fw_debug"_a, "cmdlog_count"_a)
      .def_prop_ro("running", &IOWorker::running,
                   R"(Whether the worker is still at work: started, and neither done nor stopped.

>>> import nvme as d
>>> nvme0 = d.Controller("sim")
>>> nvme0n1 = d.Namespace(nvme0)
>>> worker = nvme0n1.ioworker(io_size=8, io_count=100)
>>> worker.running
False
>>> result = worker.start().close()
>>> worker.running
False
>>> nvme0.close()
)")
      .def(
          "stop", &IOWorker::stop,
          R"(Send nothing more; the worker ends when its commands under way have. close() comes next.

>>> import nvme as d
>>> nvme0 = d.Controller("sim")
>>> nvme0n1 = d.Namespace(nvme0)
>>> worker = nvme0n1.ioworker(io_size=8, time=60).start()
>>> worker.stop()
>>> worker.close().error
0
>>> nvme0.close()
)");

  // What python/nvme/ioworker.py builds on.
  m.def("ioworker_launch", &IOWorker::start, "Create the queue and start the thread.");
  m.def(
      "ioworker_wait_result", [](IOWorker& self) { return result_of(self.close()); },
      "Wait for the end, delete the queue, and return the figures.");
  m.def("ioworker_io_per_second", [](IOWorker& self) { return self.close().io_per_second; });
  m.def("ioworker_iops_consistency",
        [](IOWorker& self) { return self.close().iops_consistency(); });
  m.def("ioworker_latency_percentile_us",
        [](IOWorker& self, double percent) { return self.close().latency_percentile_us(percent); });
  m.def("ioworker_latency_distribution",
        [](IOWorker& self) { return self.close().latency_distribution_us(); });
  m.def("ioworker_progress", progress_of);
  m.def("ioworker_seed", &IOWorker::seed);
  m.def("ioworker_latency",
        [](IOWorker& self) { return LatencyHistogram(self.close().latency_ns); });
  m.def("ioworker_poll_gap",
        [](IOWorker& self) { return LatencyHistogram(self.close().poll_gap_ns); });
  m.def("ioworker_opcodes", [](IOWorker& self) {
    std::vector<std::tuple<uint8_t, uint64_t, LatencyHistogram>> opcodes;
    for (const auto& figures : self.close().opcodes) {
      opcodes.emplace_back(figures.opcode, figures.sent, LatencyHistogram(figures.latency_ns));
    }
    return opcodes;
  });
  m.def("ioworker_last_commands", [](IOWorker& self) {
    std::vector<std::tuple<uint64_t, uint32_t, uint8_t>> commands;
    for (const auto& command : self.close().last_commands) {
      commands.emplace_back(command.slba, command.nlb, command.opcode);
    }
    return commands;
  });
  m.def("ioworker_miscompare", [](IOWorker& self) {
    const auto& miscompare = self.close().miscompare;
    return miscompare ? nb::object(miscompare_record(*miscompare)) : nb::none();
  });
  m.def("ioworker_failure", [](IOWorker& self) {
    const auto& result = self.close();
    return std::make_tuple(std::string(ioworker::host_error_text(result.error)), result.status,
                           result.detail);
  });
}

}  // namespace pynvme::bindings
