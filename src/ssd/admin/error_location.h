// Where in a command the field is that made it fail, for the Error Information log. Told from the
// command and its status afterwards, so that the checks themselves need not carry it.
#pragma once

#include <cstdint>

#include "spec/command.h"
#include "ssd/config.h"

namespace pynvme::ssd {

// Parameter Error Location (NVMe Base 2.0 §5.16.1.2): byte 7:0, bit 10:8; FFFFh where no single
// field is wrong.
uint16_t admin_error_location(const spec::Sqe& sqe, uint16_t status, const Config& config);
uint16_t io_error_location(const spec::Sqe& sqe, uint16_t status, const Config& config);

inline constexpr uint16_t kNsidLocation = 4;  // a byte of the SQE

// Of admin commands: those that need the namespace that they name.
bool names_one_namespace(const spec::Sqe& sqe, const Config& config);

// Whether CDW10 and CDW11 of an I/O command are an LBA.
bool has_slba(const spec::Sqe& sqe);

}  // namespace pynvme::ssd
