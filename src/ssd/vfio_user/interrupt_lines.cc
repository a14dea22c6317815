// SET_IRQS as Linux' VFIO has it: one kind of data, one action, a range of vectors.
#include "ssd/vfio_user/interrupt_lines.h"

#include <bit>
#include <cerrno>
#include <cstddef>
#include <utility>

namespace pynvme::ssd {

namespace vfu = spec::vfu;
using vfu::IrqInfo;
using vfu::IrqSet;

InterruptLines::InterruptLines(bool pin, uint32_t msi_vectors, uint32_t msix_vectors)
    : lines_(vfu::kIrqs) {
  lines_[vfu::kIrqIntx] = Lines(pin ? 1 : 0);
  lines_[vfu::kIrqMsi] = Lines(msi_vectors);
  lines_[vfu::kIrqMsix] = Lines(msix_vectors);
  // Never raised; hosts that watch for errors of the function expect that they can.
  lines_[vfu::kIrqError] = Lines(1);
}

IrqInfo InterruptLines::info(uint32_t index) const {
  IrqInfo info{};
  info.argsz = sizeof(info);
  info.index = index;
  info.count = static_cast<uint32_t>(lines_[index].size());
  if (info.count != 0) info.flags = IrqInfo::kEventfd | IrqInfo::kMaskable;
  if (index == vfu::kIrqError) info.flags = IrqInfo::kEventfd;
  // The pin is a level: the host says by unmasking that it has looked.
  if (index == vfu::kIrqIntx && info.count != 0) info.flags |= IrqInfo::kAutomasked;
  return info;
}

int InterruptLines::set(const IrqSet& wanted, std::span<const uint8_t> flags,
                        std::vector<base::UniqueFd> fds) {
  const uint32_t data = wanted.flags & IrqSet::kDataMask;
  const uint32_t action = wanted.flags & IrqSet::kActions;
  if (wanted.index >= lines_.size() ||
      (wanted.flags & ~(IrqSet::kDataMask | IrqSet::kActions)) != 0 || !std::has_single_bit(data) ||
      !std::has_single_bit(action)) {
    return EINVAL;
  }
  const std::lock_guard guard(mutex_);
  Lines& lines = lines_[wanted.index];
  if (wanted.start > lines.size() || wanted.count > lines.size() - wanted.start) return EINVAL;
  if (data == IrqSet::kDataBool && flags.size() != wanted.count) return EINVAL;
  const std::span chosen(lines.data() + wanted.start, wanted.count);

  if (action == IrqSet::kActionTrigger && data == IrqSet::kDataEventfd) {
    // None at all takes away what the vectors had.
    if (!fds.empty() && fds.size() != wanted.count) return EINVAL;
    for (const auto& fd : fds) {
      // A full pipe or the like must not hold the SSD up.
      if (!base::is_eventfd(fd.get())) return EINVAL;
    }
    for (size_t i = 0; i < chosen.size(); ++i) {
      chosen[i].fd = fds.empty() ? base::UniqueFd() : std::move(fds[i]);
      chosen[i].masked = chosen[i].pending = false;
      if (wanted.index == vfu::kIrqIntx && level_) fire(wanted.index, chosen[i]);
    }
    return 0;
  }
  if (data == IrqSet::kDataEventfd || !fds.empty()) return EINVAL;
  if (action == IrqSet::kActionTrigger && data == IrqSet::kDataNone && wanted.count == 0) {
    if (wanted.start != 0) return EINVAL;
    for (Line& line : lines) line = Line();
    return 0;
  }
  if (wanted.index == vfu::kIrqError && action != IrqSet::kActionTrigger) return EINVAL;
  for (size_t i = 0; i < chosen.size(); ++i) {
    if (data == IrqSet::kDataBool && flags[i] == 0) continue;
    Line& line = chosen[i];
    if (action == IrqSet::kActionMask) {
      line.masked = true;
    } else if (action == IrqSet::kActionUnmask) {
      line.masked = false;
      const bool due = std::exchange(line.pending, false);
      if (wanted.index == vfu::kIrqIntx ? level_ : due) fire(wanted.index, line);
    } else {
      fire(wanted.index, line);
    }
  }
  return 0;
}

uint32_t InterruptLines::vectors_used(uint32_t index) const {
  const std::lock_guard guard(mutex_);
  const Lines& lines = lines_[index];
  for (size_t used = lines.size(); used > 0; --used) {
    if (lines[used - 1].fd) return static_cast<uint32_t>(used);
  }
  return 0;
}

bool InterruptLines::used(uint32_t index, uint32_t vector) const {
  const std::lock_guard guard(mutex_);
  return vector < lines_[index].size() && static_cast<bool>(lines_[index][vector].fd);
}

void InterruptLines::message(uint32_t vector) {
  const std::lock_guard guard(mutex_);
  for (const uint32_t index : {vfu::kIrqMsix, vfu::kIrqMsi}) {
    if (vector >= lines_[index].size() || !lines_[index][vector].fd) continue;
    fire(index, lines_[index][vector]);
    return;
  }
}

void InterruptLines::pin(bool asserted) {
  const std::lock_guard guard(mutex_);
  level_ = asserted;
  if (asserted && !lines_[vfu::kIrqIntx].empty()) {
    fire(vfu::kIrqIntx, lines_[vfu::kIrqIntx].front());
  }
}

void InterruptLines::hold() {
  const std::lock_guard guard(mutex_);
  held_ = true;
}

void InterruptLines::release() {
  const std::lock_guard guard(mutex_);
  held_ = false;
  for (uint32_t index = 0; index < lines_.size(); ++index) {
    for (Line& line : lines_[index]) {
      if (!line.pending || line.masked) continue;
      line.pending = false;
      if (index != vfu::kIrqIntx || level_) fire(index, line);
    }
  }
}

void InterruptLines::fire(uint32_t index, Line& line) {
  if (!line.fd) return;
  if (line.masked || held_) {
    line.pending = true;
    return;
  }
  if (index == vfu::kIrqIntx) line.masked = true;
  signal_.signal(line.fd.get());
}

}  // namespace pynvme::ssd
