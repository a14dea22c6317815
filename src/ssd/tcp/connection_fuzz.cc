// libFuzzer entry: any bytes are what a hostile host sends, on an admin and an I/O connection. The
// first byte says how far the handshake has come when it begins, and whether the target asks for
// authentication; then pieces: which connection and
// how long, and the bytes.
#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "base/clock.h"
#include "ssd/tcp/server.h"
#include "ssd/tcp/test_pdus.h"

namespace {

using pynvme::ssd::tcp::Connection;
using pynvme::ssd::tcp::Server;
namespace testing = pynvme::ssd::tcp::testing;
using testing::operator+;  // NOLINT(misc-unused-using-decls): clang-tidy 14 overlooks operators

void feed(Connection& connection, const testing::Bytes& bytes) {
  connection.feed(bytes.data(), bytes.size());
}

void take(Connection& connection) {
  if (!testing::well_formed(connection.take_output())) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static pynvme::base::Clock clock = pynvme::base::Clock::manual(1);
  static Server lax(
      pynvme::ssd::Config::parse("capacity=16MiB,latency=0,queues=2"),
      [] {
        pynvme::ssd::tcp::TargetOptions options;
        options.port = 0;
        options.data_digest = options.header_digest = false;
        options.r2t_bytes_max = 2048;
        return options;
      }(),
      clock);
  static Server strict(
      pynvme::ssd::Config::parse("capacity=16MiB,latency=0,queues=2"),
      [] {
        pynvme::ssd::tcp::TargetOptions options;
        options.port = 0;
        const pynvme::base::DhchapSecret secret{{}, pynvme::base::Secret(32)};
        options.dhchap.push_back({"nqn.host", secret, secret});
        // The costly groups only for hosts that offer no other.
        options.dhchap_preference.group = pynvme::spec::auth::GroupId::kNull;
        return options;
      }(),
      clock);
  if (size == 0) return 0;
  Server& server = (data[0] & 4) != 0 ? strict : lax;
  Connection admin(server, -1, clock.now_ns());
  Connection io(server, -1, clock.now_ns());
  if ((data[0] & 1) != 0) {
    feed(admin, testing::ic_request());
    feed(io, testing::ic_request());
  }
  if ((data[0] & 2) != 0) {
    feed(admin, testing::connect(server.nqn(), 0, 0xFFFF) + testing::enable());
    if (admin.controller() != nullptr) {
      feed(io, testing::connect(server.nqn(), 1, admin.controller()->cntlid()));
    }
  }
  for (size_t at = 1; at + 2 <= size;) {
    const size_t bytes = std::min<size_t>((data[at] & 0x7F) << 8 | data[at + 1], size - at - 2);
    Connection& connection = (data[at] & 0x80) != 0 ? io : admin;
    connection.feed(data + at + 2, bytes);
    take(admin);
    take(io);
    at += 2 + bytes;
  }
  return 0;
}
