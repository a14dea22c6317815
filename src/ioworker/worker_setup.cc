// How a Worker comes to be: what each opcode needs, and the memory for it.
#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "ioworker/pattern.h"
#include "ioworker/worker.h"
#include "spec/opcode.h"

namespace pynvme::ioworker {
namespace {

// The opcodes that the workload may send, each once.
std::vector<uint8_t> opcodes_of(const Workload& w) {
  std::vector<uint8_t> opcodes;
  const auto add = [&](uint8_t opcode) {
    if (std::find(opcodes.begin(), opcodes.end(), opcode) == opcodes.end())
      opcodes.push_back(opcode);
  };
  for (const TracedCommand& command : w.io_sequence) add(command.opcode);
  if (!w.io_sequence.empty()) return opcodes;
  for (const auto& [opcode, percent] : opcode_mix(w)) add(opcode);
  return opcodes;
}

bool mix_has(const Workload& w, uint8_t opcode) {
  const std::vector<uint8_t> opcodes = opcodes_of(w);
  return std::find(opcodes.begin(), opcodes.end(), opcode) != opcodes.end();
}

}  // namespace

Worker::Worker(driver::QueuePair& pair, const Workload& w, const Target& target, uint64_t seed,
               std::shared_ptr<Live> live)
    : pair_(pair),
      sequence_(w, target.limits, seed),
      integrity_(target.integrity.get()),
      slots_(std::make_unique<Slot[]>(pair.slots())),
      remaining_(w.io_count != 0 && w.io_sequence.empty() ? static_cast<uint64_t>(w.io_count)
                                                          : UINT64_MAX),
      // To tell an LBA that is being spoiled from one that is bad, its reads must not run beside
      // the Write Uncorrectable.
      holds_all_reads_(mix_has(w, spec::io::kWriteUncorrectable)),
      traced_(!w.io_sequence.empty()),
      timed_(traced_ || w.iops != 0),
      lba_bytes_(target.limits.lba.data_bytes),
      has_metadata_(target.limits.lba.metadata_bytes != 0),
      live_(std::move(live)),
      duration_ns_(static_cast<uint64_t>(std::llround(w.time_s * 1e9))),
      timeout_ns_(target.command_timeout_ns),
      iops_(traced_ ? 0 : static_cast<uint64_t>(w.iops)),
      fw_debug_(w.fw_debug),
      integrity_owner_(target.integrity),
      device_(target.device),
      cmdlogs_(target.cmdlogs),
      memory_(std::make_shared<WorkerMemory>()),
      lba_(target.limits.lba) {
  buffers_ = memory_.get();
  sqe_.nsid = target.nsid;
  if (pair.data_pointers() == driver::DataPointers::kSgl) {
    sqe_.set_psdt(spec::Psdt::kSglMetadataBuffer);
  }
  for (unsigned opcode = 0; opcode < operations_.size(); ++opcode) {
    operations_[opcode] = operation_of(static_cast<uint8_t>(opcode));
  }
  const std::vector<uint8_t> opcodes = opcodes_of(w);
  result_.opcodes.resize(opcodes.size());
  for (size_t i = 0; i < opcodes.size(); ++i) {
    result_.opcodes[i].opcode = opcodes[i];
    operations_[opcodes[i]].figures = &result_.opcodes[i];
  }
  // Not in the hot loop; the pages of seconds that do not come are never touched.
  result_.io_per_second.reserve(std::max<size_t>(static_cast<size_t>(std::ceil(w.time_s)), 86'400));
  result_.last_commands.reserve(w.cmdlog_count);
  last_command_ = 0;
  make_memory(w, seed);
  if (integrity_ != nullptr) take_log(w, seed);
}

Worker::~Worker() {
  if (log_owner_ != nullptr) integrity_->give_log(log_owner_);
}

void Worker::take_log(const Workload& w, uint64_t seed) {
  const std::vector<uint8_t> opcodes = opcodes_of(w);
  if (std::none_of(opcodes.begin(), opcodes.end(), [this](uint8_t opcode) {
        return verify::is_change(operations_[opcode].effect);
      })) {
    return;
  }
  verify::Writer writer;
  writer.name = "IOWorker on queue " + std::to_string(pair_.id());
  writer.sqid = pair_.id();
  if (memory_->to_device) {
    writer.slots = pair_.slots();
    const uint32_t stride = operations_[spec::io::kWrite].stride;
    writer.slot_lbas = static_cast<uint32_t>(memory_->to_device->stride() / stride);
    writer.pattern = [lba_bytes = lba_bytes_, ptype = w.ptype, pvalue = w.pvalue, seed](
                         uint32_t cid, uint32_t index, uint8_t* out) {
      fill_slot_lba({out, lba_bytes}, ptype, pvalue, seed, cid, index);
    };
  }
  log_owner_ = integrity_->take_log(std::move(writer));
  log_ = log_owner_.get();
}

Worker::Operation Worker::operation_of(uint8_t opcode) const {
  spec::Sqe sqe{};
  sqe.opcode = opcode;
  sqe.cdw11 = 0x4;  // Dataset Management is sent with AD
  Operation operation;
  operation.effect = verify::classify_io(sqe).effect;
  operation.has_lbas = opcode != spec::io::kFlush && opcode != spec::io::kDatasetManagement;
  if (opcode == spec::io::kDatasetManagement) {
    operation.data = Data::kRange;
  } else if (spec::data_direction(opcode) == spec::DataDirection::kControllerToHost) {
    operation.data = Data::kFromDevice;
  } else if (spec::data_direction(opcode) != spec::DataDirection::kNone) {
    operation.data = Data::kToDevice;
  }
  operation.stride = lba_.stride(lba_.takes_pract(opcode));
  return operation;
}

void Worker::make_memory(const Workload& w, uint64_t seed) {
  uint64_t from_device = 0;
  uint64_t to_device = 0;
  uint64_t metadata = 0;
  uint64_t interleaved_lbas = 0;
  bool has_ranges = false;
  const auto need = [&](uint8_t opcode, uint32_t nlb) {
    const uint32_t lba_stride = operations_[opcode].stride;
    const uint64_t bytes = static_cast<uint64_t>(nlb) * lba_stride;
    const Data data = operations_[opcode].data;
    if (data == Data::kFromDevice || data == Data::kToDevice) {
      if (lba_stride != lba_bytes_) interleaved_lbas = std::max<uint64_t>(interleaved_lbas, nlb);
      metadata = std::max(metadata, uint64_t{nlb} * lba_.separate_bytes(lba_.takes_pract(opcode)));
    }
    switch (data) {
      case Data::kNone:
        break;
      case Data::kFromDevice:
        from_device = std::max(from_device, bytes);
        break;
      case Data::kToDevice:
        to_device = std::max(to_device, bytes);
        break;
      case Data::kRange:
        has_ranges = true;
        break;
    }
  };
  for (const TracedCommand& command : w.io_sequence) need(command.opcode, command.nlb);
  if (!traced_) {
    for (const auto& [opcode, percent] : opcode_mix(w)) {
      for (const SizeRatio& size : w.io_size) need(opcode, static_cast<uint32_t>(size.nlb));
    }
  }
  const uint32_t slots = pair_.slots();
  if (from_device != 0) memory_->from_device.emplace(slots, from_device, pair_.data_pointers());
  if (has_ranges)
    memory_->ranges = pcie::DmaMemory::instance().allocate(slots * WorkerMemory::kRangeBytes);
  make_metadata_memory(metadata, from_device != 0, to_device != 0);
  data_alone_.resize(interleaved_lbas * lba_bytes_);
  if (to_device == 0) return;
  memory_->to_device.emplace(slots, to_device, pair_.data_pointers());
  const uint64_t stride = memory_->to_device->stride();
  const uint32_t lba_stride = operations_[spec::io::kWrite].stride;
  for (uint32_t slot = 0; slot < slots; ++slot) {
    for (uint32_t i = 0; i < stride / lba_stride; ++i) {
      fill_slot_lba({memory_->to_device->data(slot) + uint64_t{i} * lba_stride, lba_bytes_},
                    w.ptype, w.pvalue, seed, slot, i);
    }
  }
}

void Worker::make_metadata_memory(uint64_t bytes, bool from_device, bool to_device) {
  constexpr uint64_t kCacheLine = 64;
  memory_->metadata_stride = (bytes + kCacheLine - 1) / kCacheLine * kCacheLine;
  if (bytes == 0) return;
  const auto allocate = [this] {
    return pcie::DmaMemory::instance().allocate(pair_.slots() * memory_->metadata_stride);
  };
  if (from_device) memory_->metadata_from_device = allocate();
  if (to_device) memory_->metadata_to_device = allocate();
}

}  // namespace pynvme::ioworker
