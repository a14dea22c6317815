// What the driver throws on set-up paths and while waiting. Each carries a sentence: what happened,
// to which device, queue or command, and what to do. The bindings map each type to one Python
// exception.
#pragma once

#include <stdexcept>
#include <string>

#include "spec/command.h"

namespace pynvme::driver {

class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// A register read returned all ones: the device has left the bus.
class DeviceGone : public Error {
 public:
  using Error::Error;
};

// CSTS.CFS is set: the controller needs a reset.
class ControllerFatal : public Error {
 public:
  using Error::Error;
};

// The device could not be brought up: a register, a command or a time of the initialisation is
// wrong.
class EnumerateError : public Error {
 public:
  using Error::Error;
};

// Nothing came in time, or nothing can come at all.
class CommandTimeout : public Error {
 public:
  using Error::Error;
};

// A command that the driver itself sent came back with an error status.
class CommandFailed : public Error {
 public:
  CommandFailed(const std::string& text, const spec::Cqe& cqe) : Error(text), cqe_(cqe) {}
  const spec::Cqe& cqe() const { return cqe_; }

 private:
  spec::Cqe cqe_;
};

// One more command than the queue has room for; nothing was sent.
class QueueFull : public Error {
 public:
  using Error::Error;
};

// The queue is no longer on the device: deleted, or taken away by a reset.
class QueueDead : public Error {
 public:
  using Error::Error;
};

class QueueCreationError : public Error {
 public:
  using Error::Error;
};

class QueueDeletionError : public Error {
 public:
  using Error::Error;
};

// CSTS.SHST did not say "complete" within the time the device itself asks for.
class ShutdownTimeout : public Error {
 public:
  using Error::Error;
};

// The caller's mistake: a value out of range, a wait inside a callback.
class InvalidArgument : public Error {
 public:
  using Error::Error;
};

}  // namespace pynvme::driver
