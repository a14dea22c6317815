// What an embedded SSD is made of: the defaults of a typical client drive, each settable by
// "key=value,..." text or field by field.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace pynvme::ssd {

// The best kind of interrupt that the function has; the lesser kinds are there as well.
enum class InterruptCapability : uint8_t { kPin, kMsi, kMsix };

struct Config {
  uint64_t capacity_bytes = 256'000'000'000;  // "capacity": 256GB, 1TiB, plain bytes
  // "lbaformats": bytes of an LBA in each LBA format, 512, 1024, 2048 or 4096: "512+4096"
  std::vector<uint32_t> lba_formats = {512, 4096};
  uint32_t lba_bytes = 512;          // "lba": one of them, the format it leaves the factory with
  uint16_t io_queues = 16;           // "queues": IO queue pairs
  uint16_t mqes = 1023;              // "mqes": 0-based, as in CAP
  uint32_t mdts_bytes = 128 * 1024;  // "mdts": power of two of 4 KiB, 0: no limit
  uint32_t namespaces = 1;           // "namespaces": the capacity is shared out evenly
  std::vector<uint64_t> ns_bytes;    // "nssizes": unless each is named, "1GB+512MB"
  std::vector<uint32_t> ns_formats;  // "nsformats": bytes of an LBA in each one, "512+4096"
  uint32_t cache_bytes = 64 << 20;   // "cache": volatile write cache, 0: none
  double latency_scale = 1.0;        // "latency": 0 switches the latency model off, 2 doubles it
  uint64_t seed = 1;                 // "seed": latency jitter, random fault choice
  std::string file;                  // "file": media kept in this file
  std::string model = "pynvme embedded SSD";  // "model", "serial", "firmware": as in Identify
  std::string serial = "PYNVME0001";
  std::string firmware = "1.0";
  uint8_t elpe = 63;               // "elpe": error log entries, 0-based
  uint8_t aerl = 3;                // "aerl": asynchronous event request limit, 0-based
  uint8_t acl = 7;                 // "acl": abort command limit, 0-based
  uint32_t version = 0x0001'0400;  // "version": 1.4, 2.0
  uint32_t ready_ms = 0;           // "ready_ms": from CC.EN = 1 to CSTS.RDY = 1
  uint32_t timeout_500ms = 20;     // "timeout": CAP.TO, in units of 500 ms
  uint8_t doorbell_stride = 0;     // "dstrd": CAP.DSTRD
  InterruptCapability interrupts = InterruptCapability::kMsix;  // "interrupts": pin, msi, msix
  uint8_t power_states = 5;   // "powerstates": 1 to 5, 3 and 4 are non-operational
  uint32_t trace_events = 0;  // "trace": how many of its last events it keeps to be looked at

  // How many namespaces there can be (NN).
  uint32_t namespace_limit() const { return namespaces + 15; }

  // Text "" gives the defaults. Throws std::invalid_argument that names the key, what was given,
  // and what is possible.
  static Config parse(std::string_view text);
};

}  // namespace pynvme::ssd
