// The bytes of a connection, written out by hand, over a socket pair.
#include "driver/tcp/tcp_queue.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/crc.h"
#include "base/unique_fd.h"
#include "driver/errors.h"
#include "driver/tcp/fabrics_commands.h"
#include "spec/feature.h"
#include "spec/opcode.h"

namespace pynvme::driver::tcp {
namespace {

using Bytes = std::vector<uint8_t>;

constexpr uint32_t kEntries = 4;

Bytes le32(uint32_t value) {
  Bytes bytes(4);
  std::memcpy(bytes.data(), &value, 4);
  return bytes;
}

Bytes operator+(Bytes a, const Bytes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

// CH: type, flags, HLEN, PDO, PLEN.
Bytes common(uint8_t type, uint8_t flags, uint8_t hlen, uint8_t pdo, uint32_t plen) {
  return Bytes{type, flags, hlen, pdo} + le32(plen);
}

Bytes ic_resp(uint8_t cpda, uint8_t dgst, uint32_t maxh2cdata) {
  return common(0x01, 0, 128, 0, 128) + Bytes{0, 0, cpda, dgst} + le32(maxh2cdata) + Bytes(112);
}

class TcpQueueTest : public testing::Test {
 protected:
  TcpQueueTest() {
    options_.name = "target";
    options_.answer_ms = 2000;
  }
  ~TcpQueueTest() override {
    if (peer_ >= 0) ::close(peer_);
  }

  void open(const Bytes& response = ic_resp(0, 0, 4096)) {
    int ends[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    peer_ = ends[1];
    send(response);
    queue_.emplace(QueueRings{1, kEntries, {sq_.data(), 0x1000}, {cq_.data(), 0x2000}}, options_,
                   base::Clock::real(), false);
    queue_->open(Stream(ends[0]), {});
    pair_.emplace(SubmissionQueue(1, kEntries, {sq_.data(), 0x1000}, queue_->doorbells()),
                  CompletionQueue(1, kEntries, {cq_.data(), 0x2000}, queue_->doorbells()),
                  base::Clock::real(), DataPointers::kSgl);
    queue_->serve(&*pair_);
    ic_req_ = receive(128);
  }
  void send(const Bytes& bytes) {
    ASSERT_EQ(::write(peer_, bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  }
  // What the host sent: exactly so many bytes, or all there is.
  Bytes receive(size_t size) {
    Bytes bytes(size);
    const ssize_t got = recv(peer_, bytes.data(), size, MSG_DONTWAIT);
    bytes.resize(got < 0 ? 0 : static_cast<size_t>(got));
    return bytes;
  }
  uint32_t submit(uint8_t opcode, void* data, uint32_t size) {
    spec::Sqe sqe{};
    sqe.opcode = opcode;
    sqe.nsid = 1;
    sqe.set_psdt(spec::Psdt::kSglMetadataBuffer);
    sqe.prp1 = reinterpret_cast<uintptr_t>(data);
    sqe.prp2 = size;
    const uint32_t cid = pair_->submit(sqe);
    pair_->ring();
    return cid;
  }
  std::vector<spec::Cqe> reap() {
    std::vector<spec::Cqe> done;
    while (pair_->reap(kEntries, [&](uint16_t, const spec::Cqe& cqe, uint64_t) {
      done.push_back(cqe);
    }) != 0) {
    }
    return done;
  }

  Options options_;
  std::vector<spec::Sqe> sq_{kEntries};
  std::vector<spec::Cqe> cq_{kEntries};
  std::optional<TcpQueue> queue_;
  std::optional<QueuePair> pair_;
  int peer_ = -1;
  Bytes ic_req_;
};

TEST_F(TcpQueueTest, IcReq) {
  options_.hpda_bytes = 64;
  options_.data_digest = true;
  options_.max_r2t = 7;
  open();
  EXPECT_EQ(ic_req_, common(0x00, 0, 128, 0, 128) + Bytes({0, 0, 15, 2}) + le32(6) + Bytes(112));
}

TEST_F(TcpQueueTest, AReadIsACapsuleWithATransportSgl) {
  open();
  Bytes data(512);
  ASSERT_EQ(submit(spec::io::kRead, data.data(), 512), 0U);
  const Bytes capsule = receive(4096);
  ASSERT_EQ(capsule.size(), 72U);
  EXPECT_EQ(Bytes(capsule.begin(), capsule.begin() + 8), common(0x04, 0, 72, 0, 72));
  EXPECT_EQ(Bytes(capsule.begin() + 8, capsule.begin() + 16), (Bytes{2, 0x40, 0, 0, 1, 0, 0, 0}));
  EXPECT_EQ(Bytes(capsule.begin() + 32, capsule.begin() + 48),
            Bytes(8) + le32(512) + Bytes({0, 0, 0, 0x5A}));
}

TEST_F(TcpQueueTest, DataInPiecesAndSuccess) {
  open();
  Bytes data(16);
  submit(spec::io::kRead, data.data(), 16);
  // C2HData: CCCID 0, DATAO, DATAL; the second one LAST and SUCCESS.
  const Bytes first = common(0x07, 0x00, 24, 24, 32) + Bytes(4) + le32(0) + le32(8) + Bytes(4);
  const Bytes second = common(0x07, 0x0C, 24, 24, 32) + Bytes(4) + le32(8) + le32(8) + Bytes(4);
  const Bytes all = first + Bytes(8, 0x11) + second + Bytes(8, 0x22);
  // Byte by byte: PDUs end anywhere in what the socket gives.
  for (const uint8_t byte : all) {
    EXPECT_TRUE(reap().empty());
    send({byte});
  }
  const auto done = reap();
  ASSERT_EQ(done.size(), 1U);
  EXPECT_EQ(done[0].cid, 0);
  EXPECT_TRUE(done[0].ok());
  EXPECT_EQ(data, Bytes(8, 0x11) + Bytes(8, 0x22));
}

TEST_F(TcpQueueTest, InCapsuleDataWithDigestsAndPadding) {
  options_.header_digest = options_.data_digest = true;
  open(ic_resp(31, 3, 4096));
  queue_->set_in_capsule_max(512);
  Bytes data(512, 0x5A);
  submit(spec::io::kWrite, data.data(), 512);
  const Bytes capsule = receive(4096);
  // CPDA 31: the data begin at byte 128.
  ASSERT_EQ(capsule.size(), 128U + 512 + 4);
  EXPECT_EQ(Bytes(capsule.begin(), capsule.begin() + 8), common(0x04, 0x03, 72, 128, 644));
  EXPECT_EQ(capsule[8 + 39], 0x01);  // data block, offset
  EXPECT_EQ(Bytes(capsule.begin() + 72, capsule.begin() + 76),
            le32(base::crc32c(capsule.data(), 72)));
  EXPECT_EQ(Bytes(capsule.begin() + 128, capsule.begin() + 640), data);
  EXPECT_EQ(Bytes(capsule.begin() + 640, capsule.end()), le32(base::crc32c(data.data(), 512)));
}

TEST_F(TcpQueueTest, R2tIsAnsweredInPiecesOfMaxh2cdata) {
  open();
  Bytes data(8192);
  for (size_t i = 0; i < data.size(); ++i) data[i] = static_cast<uint8_t>(i / 32);
  submit(spec::io::kWrite, data.data(), 8192);
  ASSERT_EQ(receive(4096).size(), 72U);
  // R2T: CCCID 0, TTAG 7, all of it.
  send(common(0x09, 0, 24, 0, 24) + Bytes{0, 0, 7, 0} + le32(0) + le32(8192) + Bytes(4));
  EXPECT_TRUE(reap().empty());
  const Bytes sent = receive(20000);
  ASSERT_EQ(sent.size(), 2U * (24 + 4096));
  EXPECT_EQ(
      Bytes(sent.begin(), sent.begin() + 24),
      common(0x06, 0x00, 24, 24, 4120) + Bytes({0, 0, 7, 0}) + le32(0) + le32(4096) + Bytes(4));
  EXPECT_EQ(
      Bytes(sent.begin() + 4120, sent.begin() + 4144),
      common(0x06, 0x04, 24, 24, 4120) + Bytes({0, 0, 7, 0}) + le32(4096) + le32(4096) + Bytes(4));
  EXPECT_EQ(Bytes(sent.begin() + 24, sent.begin() + 4120),
            Bytes(data.begin(), data.begin() + 4096));
}

TEST_F(TcpQueueTest, AViolationIsAnsweredAndEndsTheConnection) {
  open();
  submit(spec::io::kFlush, nullptr, 0);
  receive(4096);
  const Bytes response =
      common(0x05, 0, 24, 0, 24) + Bytes(8) + Bytes{0, 0, 0, 0, 9, 0, 0, 0};  // CID 9
  send(response);
  EXPECT_TRUE(reap().empty());
  EXPECT_TRUE(pair_->disconnected());
  EXPECT_NE(std::string(pair_->death()).find("CID 9, which is not outstanding"), std::string::npos);
  // H2CTermReq: FES 1, FEI 20 (the offset of CID), and the header.
  EXPECT_EQ(receive(4096),
            common(0x02, 0, 24, 0, 48) + Bytes({1, 0}) + le32(20) + Bytes(10) + response);
  EXPECT_TRUE(receive(1).empty());
}

TEST_F(TcpQueueTest, ForgottenCommandsMayStillBeAnswered) {
  open();
  Bytes data(8, 0xEE);
  submit(spec::io::kRead, data.data(), 8);
  queue_->stop();
  send(common(0x07, 0x0C, 24, 24, 32) + Bytes(4) + le32(0) + le32(8) + Bytes(4) + Bytes(8));
  queue_->poll();
  EXPECT_TRUE(queue_->is_open());
  EXPECT_EQ(data, Bytes(8, 0xEE));
}

TEST_F(TcpQueueTest, ANewConnectionHasTheKeepAliveTimeOfItsConnect) {
  TcpQueue admin(QueueRings{0, kEntries, {}, {}}, options_, base::Clock::real(), true);
  for (int association = 0; association < 2; ++association) {
    int ends[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    const base::UniqueFd peer(ends[1]);
    const Bytes response = ic_resp(0, 0, 4096);
    ASSERT_EQ(::write(ends[1], response.data(), response.size()), 128);
    admin.open(Stream(ends[0]), {});
    EXPECT_EQ(admin.kato_ms(), 5000U);
    spec::Sqe sqe{};
    sqe.opcode = spec::admin::kSetFeatures;
    sqe.cdw10 = spec::fid::kKeepAliveTimer;
    sqe.cdw11 = 60'000;
    ASSERT_TRUE(admin.begin(sqe, nullptr, 0));
    EXPECT_EQ(admin.kato_ms(), 60'000U);
  }
}

TEST_F(TcpQueueTest, IcRespWithUnsupportedParameters) {
  EXPECT_THROW(open(ic_resp(32, 0, 4096)), EnumerateError);
  EXPECT_THROW(open(ic_resp(0, 1, 4096)), EnumerateError);  // a digest that was not asked for
  EXPECT_THROW(open(ic_resp(0, 0, 4095)), EnumerateError);
  Bytes version = ic_resp(0, 0, 4096);
  version[8] = 1;  // PFV
  EXPECT_THROW(open(version), EnumerateError);
}

TEST(FabricsCommands, ConnectBytes) {
  const spec::Sqe sqe = connect_command(3, 128, 2, 0x1234);
  Bytes bytes(sizeof(sqe));
  std::memcpy(bytes.data(), &sqe, sizeof(sqe));
  EXPECT_EQ(bytes[0], 0x7F);
  EXPECT_EQ(bytes[4], 0x01);
  EXPECT_EQ(Bytes(bytes.begin() + 40, bytes.begin() + 52),
            (Bytes{0, 0, 3, 0, 127, 0, 2, 0, 0x34, 0x12, 0, 0}));
}

TEST(Options, Uuid) {
  std::array<uint8_t, 16> bytes{};
  ASSERT_TRUE(parse_uuid("00112233-4455-6677-8899-aabbccddeeff", &bytes));
  EXPECT_EQ(bytes[15], 0xFF);
  EXPECT_EQ(uuid_text(bytes), "00112233-4455-6677-8899-aabbccddeeff");
  EXPECT_FALSE(parse_uuid("00112233", &bytes));
}

}  // namespace
}  // namespace pynvme::driver::tcp
