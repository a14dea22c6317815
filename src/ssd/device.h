// The embedded SSD: one PCI function with one NVMe controller. Passive: register accesses, rung
// doorbells and advance() make it work in the calling thread; what falls due later and nobody polls
// for is brought about by its timekeeper thread, which sleeps otherwise. All calls are thread safe.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "ssd/config.h"
#include "ssd/frontend/trace.h"
#include "ssd/host_port.h"

namespace pynvme::ssd {

class Faults;

class Device {
 public:
  // Throws std::runtime_error when the media's file cannot be used (held by another process, wrong
  // size).
  Device(const Config& config, const base::Clock& clock);
  ~Device();

  const Config& config() const;

  // The slot. plug() hands over the host that takes the interrupts; unplug() resets the function
  // and makes every further access read all ones until plugged again. Neither touches the mappings
  // below.
  void plug(HostPort& host);
  void unplug();

  uint32_t config_read(uint16_t offset, unsigned size);
  void config_write(uint16_t offset, uint32_t value, unsigned size);
  uint64_t bar_size(unsigned bar) const;
  uint64_t bar_read(unsigned bar, uint64_t offset, unsigned size);
  void bar_write(unsigned bar, uint64_t offset, uint64_t value, unsigned size);

  // Doorbells as plain memory: store, then call rung() with the doorbell's index.
  volatile uint32_t* doorbells();
  void rung(uint32_t index);
  // The same memory for another process: a file whose page 0 is empty, so that its offsets are
  // those of BAR0, sealed against a change of its size.
  int doorbell_fd() const;
  uint64_t doorbell_bytes() const;
  // For a host that stores to doorbells and rings nothing: poll_doorbells() finds what it stored,
  // and works. One thread polls and does all other accesses; true when there was something to do.
  void set_polled(bool polled);
  bool poll_doorbells();
  // Brings about all that is due by now.
  void advance();

  // Host memory that the device may reach, in whole pages. dma_map throws std::invalid_argument
  // when the range is none or overlaps one that is mapped.
  void dma_map(uint64_t iova, uint8_t* memory, uint64_t size, bool readable = true,
               bool writable = true);
  void dma_unmap(uint64_t iova, uint64_t size);  // returns when nothing touches the range any more

  // Runs it while nothing touches host memory.
  void quiesced(const std::function<void()>& work);

  // What it is to do wrong. They outlast resets and power cycles.
  Faults& faults();

  // What it saw and did, when Config::trace_events asks for it: the newest `count`, 0 for all.
  std::vector<TraceEvent> trace(size_t count) const;

  void hot_reset();
  void power_on_reset();  // the function as after power-on, media and volatile cache kept
  void power_off();       // sudden: what the volatile cache holds is lost
  void power_on();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pynvme::ssd
