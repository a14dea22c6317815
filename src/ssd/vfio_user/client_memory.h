// The memory of a vfio-user client: files that it sent are mapped into the SSD's view of the host;
// memory without a file is fetched and brought back by messages, page by page, as the SSD asks for
// it (slow, and there for clients that can do no better). Which messages say so is the session's.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "base/guarded_mapping.h"
#include "base/unique_fd.h"
#include "spec/vfio_user.h"
#include "ssd/host_port.h"

namespace pynvme::ssd {

class Device;

class ClientMemory {
 public:
  static constexpr size_t kMapsMax = 8192;
  static constexpr uint64_t kElsewhereMax = 4ULL << 40;

  // Reads and writes the client's memory by messages; false when it refuses or is gone.
  class Peer {
   public:
    virtual ~Peer() = default;
    virtual bool dma_read(uint64_t address, std::span<uint8_t> data) = 0;
    virtual bool dma_write(uint64_t address, std::span<const uint8_t> data) = 0;
  };

  ClientMemory(Device& device, Peer& peer) : device_(device), peer_(peer) {}
  ~ClientMemory() { clear(); }
  ClientMemory(const ClientMemory&) = delete;
  ClientMemory& operator=(const ClientMemory&) = delete;

  // 0 or an errno. `fd` empty: memory without a file.
  int map(const spec::vfu::DmaMap& wanted, base::UniqueFd fd);
  // Nothing of the range is touched any more when it returns. A range that cuts a mapping is
  // refused.
  int unmap(uint64_t address, uint64_t size);
  void clear();
  size_t maps() const { return maps_.size(); }

  // Whether the client cut short a file that is mapped.
  bool broken() const;

  // HostPort::reach.
  uint8_t* reach(DmaAccess access, uint64_t address, uint64_t size, bool kept) noexcept;
  // Whether there is memory that write_back() has to look at.
  bool elsewhere() const { return elsewhere_.load(std::memory_order_relaxed); }
  // Brings what the SSD changed to the client: data first, then queues. While the SSD is quiesced.
  void write_back();

 private:
  struct Map {
    uint64_t size = 0;
    bool readable = false;
    bool writable = false;
    std::unique_ptr<base::GuardedMapping> file;  // null: elsewhere
    uint8_t* copy = nullptr;                     // of what lies elsewhere; pages as needed
  };
  struct Page {
    std::vector<uint8_t> as_fetched;
    bool kept = false;
  };

  bool fetch(uint64_t address, uint8_t* copy, bool kept);
  void bring_back(uint64_t address, Page& page, const uint8_t* copy);
  void erase(std::map<uint64_t, Map>::iterator entry);

  Device& device_;
  Peer& peer_;
  std::map<uint64_t, Map> maps_;  // by address; changed by the session's thread alone
  std::atomic<bool> elsewhere_{false};
  std::mutex mutex_;  // guards what follows, and maps_ against reach()
  std::map<uint64_t, Page> pages_;
};

}  // namespace pynvme::ssd
