// Interrupts of a vfio-user client: an eventfd for each vector that it asked for. Takes what the
// SSD sends (from any thread) and what SET_IRQS says; setting up MSI-X on the SSD is the session's.
#pragma once

#include <cstdint>
#include <mutex>
#include <span>
#include <vector>

#include "base/event_signal.h"
#include "base/unique_fd.h"
#include "spec/vfio_user.h"

namespace pynvme::ssd {

class InterruptLines {
 public:
  // How many vectors there are of MSI and of MSI-X; there is one pin.
  InterruptLines(bool pin, uint32_t msi_vectors, uint32_t msix_vectors);

  spec::vfu::IrqInfo info(uint32_t index) const;
  // 0 or an errno. `flags` of one byte each with kDataBool.
  int set(const spec::vfu::IrqSet& wanted, std::span<const uint8_t> flags,
          std::vector<base::UniqueFd> fds);
  // Whether any vector of the kind has an eventfd, and up to which.
  uint32_t vectors_used(uint32_t index) const;
  bool used(uint32_t index, uint32_t vector) const;

  void message(uint32_t vector);  // MSI-X where it is in use, else MSI
  void pin(bool asserted);
  // While held, what arrives is delivered by release(): memory that goes by messages comes first.
  void hold();
  void release();

 private:
  struct Line {
    base::UniqueFd fd;
    bool masked = false;
    bool pending = false;
  };
  using Lines = std::vector<Line>;

  void fire(uint32_t index, Line& line);  // mutex_ is held

  mutable std::mutex mutex_;
  base::EventSignal signal_;
  std::vector<Lines> lines_;  // by VFIO's interrupt index
  bool level_ = false;
  bool held_ = false;
};

}  // namespace pynvme::ssd
