// The bytes of a target, whatever they are: no crash, no byte outside of a command's buffer, no
// completion that nobody waits for. The first byte chooses what was agreed upon and what is
// outstanding; the rest is what the target sends.
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "driver/tcp/tcp_queue.h"
#include "spec/opcode.h"
#include "spec/tcp.h"

namespace {

using pynvme::driver::QueueMemory;
using pynvme::driver::tcp::Options;
using pynvme::driver::tcp::Stream;
using pynvme::driver::tcp::TcpQueue;
namespace spec = pynvme::spec;
namespace base = pynvme::base;

constexpr uint32_t kEntries = 8;
constexpr uint32_t kBytes = 8192;
constexpr uint8_t kGuard = 0xA5;

struct Buffer {
  uint8_t before[64];
  uint8_t data[kBytes];
  uint8_t behind[64];
};

void require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  if (size == 0) return 0;
  const uint8_t mode = bytes[0];
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) return 0;
  Options options;
  options.name = "fuzz";
  options.header_digest = (mode & 1) != 0;
  options.data_digest = (mode & 2) != 0;
  options.max_r2t = 2;
  std::vector<spec::Sqe> sq(kEntries);
  std::vector<spec::Cqe> cq(kEntries);
  TcpQueue queue({1, kEntries, QueueMemory{sq.data(), 0x1000}, QueueMemory{cq.data(), 0x2000}},
                 options, base::Clock::real(), false);
  spec::tcp::IcResp response{};
  response.ch = {spec::tcp::PduType::kIcResp, 0, sizeof(response), 0, sizeof(response)};
  response.dgst = mode & 3;
  response.cpda = static_cast<uint8_t>(mode >> 3 & 7);
  response.maxh2cdata = 4096;
  require(write(ends[1], &response, sizeof(response)) == sizeof(response));
  queue.open(Stream(ends[0]), {});
  pynvme::pcie::Doorbells doorbells = queue.doorbells();
  pynvme::driver::QueuePair pair({1, kEntries, {sq.data(), 0}, doorbells},
                                 {1, kEntries, {cq.data(), 0}, doorbells}, base::Clock::real(),
                                 pynvme::driver::DataPointers::kSgl);
  queue.serve(&pair);
  static Buffer buffers[kEntries];
  std::memset(buffers, kGuard, sizeof(buffers));
  uint32_t sent = 0;
  for (uint32_t i = 0; i + 1 < kEntries; ++i, ++sent) {
    spec::Sqe sqe{};
    sqe.opcode = i % 2 == 0 ? spec::io::kRead : spec::io::kWrite;
    sqe.set_psdt(spec::Psdt::kSglMetadataBuffer);
    sqe.prp1 = reinterpret_cast<uintptr_t>(buffers[i].data);
    sqe.prp2 = i == 6 ? 0 : kBytes >> i;
    pair.submit(sqe);
  }
  pair.ring();
  queue.consume(bytes + 1, size - 1);
  queue.poll();
  uint32_t completed = 0;
  while (pair.reap(kEntries, [&](uint16_t, const spec::Cqe&, uint64_t) { ++completed; }) != 0) {
  }
  // SQHD is passed on as it came; a CID that is not outstanding is not.
  require(completed <= sent);
  require(pair.anomalies() == 0 ||
          pair.last_anomaly().kind == pynvme::driver::AnomalyKind::kBadSqhd);
  for (uint32_t i = 0; i < kEntries; ++i) {
    for (const uint8_t byte : buffers[i].before) require(byte == kGuard);
    for (const uint8_t byte : buffers[i].behind) require(byte == kGuard);
    const uint32_t length = i % 2 == 0 && i < 6 ? kBytes >> i : 0;
    for (uint32_t at = length; at < kBytes; ++at) require(buffers[i].data[at] == kGuard);
  }
  close(ends[1]);
  return 0;
}
