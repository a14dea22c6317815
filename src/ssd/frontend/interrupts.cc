// Delivery, masking and holding back of interrupts. MSI-X takes only its vector's lock, so that
// queues with vectors of their own do not meet here.
#include "ssd/frontend/interrupts.h"

#include <algorithm>
#include <mutex>

namespace pynvme::ssd {

Interrupts::Interrupts(uint16_t vectors, uint16_t queues, Trace& trace)
    : trace_(trace), vectors_(vectors), level_(queues) {}

void Interrupts::reset_table() {
  for (Vector& vector : vectors_) {
    const std::lock_guard guard(vector.lock);
    vector.address = 0;
    vector.data = 0;
    vector.control = 1;
    vector.pending = false;
  }
}

void Interrupts::reset_controller() {
  for (Vector& vector : vectors_) {
    const std::lock_guard guard(vector.lock);
    vector.pending = false;
    vector.held_entries = 0;
    vector.held_until = 0;
  }
  next_due_ = UINT64_MAX;
  const std::lock_guard guard(lock_);
  controller_mask_ = 0;
  msi_pending_ = 0;
  std::fill(level_.begin(), level_.end(), false);
  levels_ = 0;
  update_pin();
}

void Interrupts::configure(const InterruptSetup& setup) {
  {
    const std::lock_guard guard(lock_);
    if (setup.mode != setup_.mode) {
      msi_pending_ = 0;
      std::fill(level_.begin(), level_.end(), false);
      levels_ = 0;
    }
    setup_ = setup;
    mode_ = setup.mode;
    function_mask_ = setup.msix_function_mask;
    deliver_msi();
    update_pin();
  }
  for (Vector& vector : vectors_) {
    const std::lock_guard guard(vector.lock);
    if (setup.mode != InterruptMode::kMsix) {
      vector.pending = false;
    } else if (vector.pending) {
      fire_msix(vector);
    }
  }
}

bool Interrupts::accepts(uint16_t vector) {
  const std::lock_guard guard(lock_);
  if (setup_.mode == InterruptMode::kMsi) return vector < setup_.msi_vectors;
  // There is one pin (NVMe over PCIe 1.0 §3.5).
  if (setup_.mode == InterruptMode::kPin && !setup_.pin_disabled) return vector == 0;
  return vector < vectors_.size();
}

uint32_t Interrupts::msi_pending() {
  const std::lock_guard guard(lock_);
  return msi_pending_;
}

bool Interrupts::pin_status() {
  const std::lock_guard guard(lock_);
  return levels_ != 0 && (controller_mask_ & 1) == 0;
}

uint32_t Interrupts::table_read(uint32_t offset) {
  if (offset / 16 >= vectors_.size()) return 0;
  Vector& vector = vectors_[offset / 16];
  const std::lock_guard guard(vector.lock);
  switch (offset % 16) {
    case 0:
      return static_cast<uint32_t>(vector.address);
    case 4:
      return static_cast<uint32_t>(vector.address >> 32);
    case 8:
      return vector.data;
    default:
      return vector.control;
  }
}

void Interrupts::table_write(uint32_t offset, uint32_t value) {
  if (offset / 16 >= vectors_.size()) return;
  Vector& vector = vectors_[offset / 16];
  const std::lock_guard guard(vector.lock);
  switch (offset % 16) {
    case 0:
      vector.address = (vector.address & 0xFFFF'FFFF'0000'0000) | (value & ~3U);
      break;
    case 4:
      vector.address = (vector.address & 0xFFFF'FFFF) | static_cast<uint64_t>(value) << 32;
      break;
    case 8:
      vector.data = value;
      break;
    default:
      vector.control = value & 1;
      if (vector.pending && mode() == InterruptMode::kMsix) fire_msix(vector);
  }
}

uint32_t Interrupts::pba_read(uint32_t offset) {
  uint32_t bits = 0;
  for (uint32_t i = 0; i < 32 && offset * 8 + i < vectors_.size(); ++i) {
    Vector& vector = vectors_[offset * 8 + i];
    const std::lock_guard guard(vector.lock);
    if (vector.pending) bits |= 1U << i;
  }
  return bits;
}

uint32_t Interrupts::mask() {
  const std::lock_guard guard(lock_);
  return controller_mask_;
}

void Interrupts::mask_set(uint32_t bits) {
  const std::lock_guard guard(lock_);
  controller_mask_ |= bits;
  update_pin();
}

void Interrupts::mask_clear(uint32_t bits) {
  const std::lock_guard guard(lock_);
  controller_mask_ &= ~bits;
  deliver_msi();
  update_pin();
}

void Interrupts::raise_now_or_later(uint16_t cqid, uint16_t vector, uint32_t entries,
                                    uint64_t now_ns) {
  if (mode() == InterruptMode::kPin) {
    const std::lock_guard guard(lock_);
    if (!level_[cqid]) {
      level_[cqid] = true;
      ++levels_;
      update_pin();
    }
    return;
  }
  if (vector >= vectors_.size()) return;
  // NVMe Base 2.0 §5.27.1.6: coalescing is for I/O completion queues only.
  const uint32_t threshold = coalescing_threshold_.load(std::memory_order_relaxed);
  const uint64_t time_ns = coalescing_time_ns_.load(std::memory_order_relaxed);
  if (threshold > 1 && time_ns != 0 && cqid != 0) {
    Vector& held = vectors_[vector];
    const std::lock_guard guard(held.lock);
    if (!held.coalescing_disabled) {
      held.held_entries += entries;
      if (held.held_entries < threshold) {
        if (held.held_until == 0) held.held_until = now_ns + time_ns;
        uint64_t next = next_due_.load(std::memory_order_relaxed);
        while (held.held_until < next && !next_due_.compare_exchange_weak(next, held.held_until)) {
        }
        return;
      }
      held.held_entries = 0;
      held.held_until = 0;
    }
  }
  fire(vector);
}

void Interrupts::fire(uint16_t vector) {
  if (mode() == InterruptMode::kMsix) {
    Vector& entry = vectors_[vector];
    const std::lock_guard guard(entry.lock);
    fire_msix(entry);
  } else if (mode() == InterruptMode::kMsi) {
    fire_msi(vector);
  }
}

void Interrupts::fire_msix(Vector& vector) {
  vector.pending = (vector.control & 1) != 0 || function_mask_.load(std::memory_order_relaxed);
  if (vector.pending || port_ == nullptr) return;
  const auto index = static_cast<uint32_t>(&vector - vectors_.data());
  trace_.note(TraceKind::kInterrupt, 0, index);
  port_->message(vector.address, vector.data, index);
}

void Interrupts::fire_msi(uint16_t vector) {
  const std::lock_guard guard(lock_);
  msi_pending_ |= 1U << (vector % setup_.msi_vectors);
  deliver_msi();
}

void Interrupts::deliver_msi() {
  if (setup_.mode != InterruptMode::kMsi) return;
  const uint32_t ready = msi_pending_ & ~setup_.msi_mask & ~controller_mask_;
  for (uint32_t vector = 0; vector < kMsiVectors; ++vector) {
    if ((ready >> vector & 1) == 0) continue;
    msi_pending_ &= ~(1U << vector);
    // A function with several messages changes the low bits of the data (PCI 3.0 §6.8.1.6).
    const uint32_t data = (setup_.msi_data & ~(setup_.msi_vectors - 1U)) | vector;
    if (port_ != nullptr) {
      trace_.note(TraceKind::kInterrupt, 0, vector);
      port_->message(setup_.msi_address, setup_.msi_vectors == 1 ? setup_.msi_data : data, vector);
    }
  }
}

void Interrupts::lower(uint16_t cqid) {
  const std::lock_guard guard(lock_);
  if (!level_[cqid]) return;
  level_[cqid] = false;
  --levels_;
  update_pin();
}

void Interrupts::update_pin() {
  const bool level = !setup_.pin_disabled && levels_ != 0 && (controller_mask_ & 1) == 0;
  if (level == pin_) return;
  pin_ = level;
  trace_.note(TraceKind::kPin, 0, level ? 1 : 0);
  if (port_ != nullptr) port_->pin(level);
}

void Interrupts::set_coalescing(uint32_t threshold, uint64_t time_ns) {
  coalescing_threshold_ = threshold;
  coalescing_time_ns_ = time_ns;
  // What was held under the old setting is due now.
  if (next_due() != UINT64_MAX) fire_due(UINT64_MAX - 1);
}

void Interrupts::set_coalescing_disabled(uint16_t vector, bool disabled) {
  const std::lock_guard guard(vectors_[vector].lock);
  vectors_[vector].coalescing_disabled = disabled;
}

void Interrupts::fire_due(uint64_t now_ns) {
  next_due_ = UINT64_MAX;
  for (Vector& vector : vectors_) {
    const std::lock_guard guard(vector.lock);
    if (vector.held_until == 0) continue;
    if (vector.held_until > now_ns) {
      uint64_t next = next_due_.load(std::memory_order_relaxed);
      while (vector.held_until < next &&
             !next_due_.compare_exchange_weak(next, vector.held_until)) {
      }
      continue;
    }
    vector.held_until = 0;
    vector.held_entries = 0;
    if (mode() == InterruptMode::kMsix) {
      fire_msix(vector);
    } else if (mode() == InterruptMode::kMsi) {
      fire_msi(static_cast<uint16_t>(&vector - vectors_.data()));
    }
  }
}

}  // namespace pynvme::ssd
