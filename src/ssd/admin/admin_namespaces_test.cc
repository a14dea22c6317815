// Namespace Management and Attachment: which namespaces there are, what each has, what outlives the
// process, and what commands to those that are gone get.
#include <unistd.h>

#include <cstdio>
#include <string>

#include "ssd/test_host.h"

namespace pynvme::ssd::testing {
namespace {

constexpr uint32_t kAll = 0xFFFFFFFF;

// The commands and what Identify tells.
struct NamespacesHost : TestHost {
  explicit NamespacesHost(const Config& config) : TestHost(config) {}

  uint64_t page_ = page();
  uint64_t data = page();
  HostQueue q = create_queue(1);

  // Bytes of the structure: NSZE 0, NCAP 8, FLBAS 26, DPS 29, NMIC 30.
  void fill(uint64_t nsze, uint8_t flbas = 0) {
    std::memset(at(page_), 0, 4096);
    put<uint64_t>(page_, nsze);
    put<uint64_t>(page_ + 8, nsze);
    put<uint8_t>(page_ + 26, flbas);
  }
  Completion create_filled() { return run(Command::make(0x0D).prp(page_)); }
  // The status, or 0x1000 + NSID.
  uint32_t create(uint64_t nsze, uint8_t flbas = 0) {
    fill(nsze, flbas);
    const Completion done = create_filled();
    return done.status() != 0 ? done.status() : 0x1000 + done.cdw0();
  }
  uint16_t remove(uint32_t nsid) { return status(Command::make(0x0D, nsid).set(10, 1)); }
  uint16_t attachment(uint32_t nsid, uint32_t select, uint32_t list = 0x00010001) {
    std::memset(at(page_), 0, 4096);
    put<uint32_t>(page_, list);
    return status(Command::make(0x15, nsid).set(10, select).prp(page_));
  }
  uint16_t attach(uint32_t nsid) { return attachment(nsid, 0); }
  uint16_t detach(uint32_t nsid) { return attachment(nsid, 1); }
  uint16_t identify(uint32_t cns, uint32_t nsid) {
    std::memset(at(page_), 0xEE, 4096);
    return status(Command::make(0x06, nsid).set(10, cns).prp(page_));
  }
  std::vector<uint32_t> list(uint32_t cns) {
    EXPECT_EQ(identify(cns, 0), 0);
    std::vector<uint32_t> nsids;
    for (unsigned i = 0; get<uint32_t>(page_ + i * 4) != 0; ++i) {
      nsids.push_back(get<uint32_t>(page_ + i * 4));
    }
    return nsids;
  }
  uint64_t unallocated() {
    EXPECT_EQ(identify(1, 0), 0);
    EXPECT_EQ(get<uint64_t>(page_ + 280), 64u << 20) << "TNVMCAP";
    return get<uint64_t>(page_ + 296);
  }
  uint64_t nsze(uint32_t nsid, uint32_t cns = 0) {
    EXPECT_EQ(identify(cns, nsid), 0);
    return get<uint64_t>(page_);
  }
  uint16_t write(uint32_t nsid, uint8_t value, uint64_t slba = 0) {
    std::memset(at(data), value, 4096);
    Command c = write_command(data, slba, 1);
    c.dw[1] = nsid;
    return status(q, c);
  }
  // The first byte, or 0x1000 + status.
  uint32_t read(uint32_t nsid, uint64_t slba = 0) {
    Command c = read_command(data, slba, 1);
    c.dw[1] = nsid;
    const uint16_t done = status(q, c);
    return done != 0 ? 0x1000u + done : *at(data);
  }
  uint32_t changed() {
    EXPECT_EQ(status(Command::make(0x02, kAll).set(10, 1023 << 16 | 4).prp(page_)), 0);
    return get<uint32_t>(page_);
  }
};

Config one() { return TestHost::quick(); }

using Nsids = std::vector<uint32_t>;

TEST(NamespacesTest, DeleteCreateAttach) {
  NamespacesHost host(one());
  EXPECT_EQ(host.unallocated(), 0u);
  EXPECT_EQ(host.create(8), 0x115u);
  ASSERT_EQ(host.write(1, 5), 0);
  EXPECT_EQ(host.remove(1), 0);
  EXPECT_EQ(host.unallocated(), 64u << 20);
  EXPECT_EQ(host.list(0x02), Nsids());
  EXPECT_EQ(host.list(0x10), Nsids());
  EXPECT_EQ(host.read(1), 0x1002u);

  EXPECT_EQ(host.create(1001), 0x1001u);
  EXPECT_EQ(host.create(300, 1), 0x1002u);
  EXPECT_EQ(host.unallocated(), (64u << 20) - 126 * 4096 - 300 * 4096) << "whole units";
  EXPECT_EQ(host.list(0x02), Nsids());
  EXPECT_EQ(host.list(0x10), (Nsids{1, 2}));
  EXPECT_EQ(host.nsze(1), 0u) << "not attached";
  EXPECT_EQ(host.nsze(1, 0x11), 1001u);
  EXPECT_EQ(host.get<uint64_t>(host.page_ + 48), 126u * 4096) << "NVMCAP";
  EXPECT_EQ(host.identify(0x12, 1), 0);
  EXPECT_EQ(host.get<uint16_t>(host.page_), 0) << "controllers";
  EXPECT_EQ(host.identify(0x03, 1), 0x002);
  EXPECT_EQ(host.write(1, 5), 0x002);

  EXPECT_EQ(host.attach(1), 0);
  EXPECT_EQ(host.attach(2), 0);
  EXPECT_EQ(host.list(0x02), (Nsids{1, 2}));
  EXPECT_EQ(host.identify(0x12, 1), 0);
  EXPECT_EQ(host.get<uint32_t>(host.page_), 0x00010001u);
  EXPECT_EQ(host.nsze(2), 300u);
  EXPECT_EQ(host.get<uint8_t>(host.page_ + 26), 1) << "FLBAS";
  EXPECT_EQ(host.read(1), 0u) << "nothing of the old one is left";
  EXPECT_EQ(host.write(1, 6, 1000), 0);
  EXPECT_EQ(host.write(1, 6, 1001), 0x080);
  EXPECT_EQ(host.write(2, 7, 299), 0);
  EXPECT_EQ(host.write(2, 7, 300), 0x080);

  EXPECT_EQ(host.detach(1), 0);
  EXPECT_EQ(host.read(1, 1000), 0x1002u);
  EXPECT_EQ(host.read(2, 299), 7u);
  EXPECT_EQ(host.attach(1), 0);
  EXPECT_EQ(host.read(1, 1000), 6u) << "what is detached is kept";
  EXPECT_EQ(host.remove(kAll), 0);
  EXPECT_EQ(host.list(0x10), Nsids());
  EXPECT_EQ(host.unallocated(), 64u << 20);
  EXPECT_EQ(host.remove(kAll), 0) << "of none";
}

TEST(NamespacesTest, CreateChecks) {
  NamespacesHost host(one());
  ASSERT_EQ(host.remove(1), 0);
  const auto with = [&](unsigned offset, uint64_t value, unsigned bytes) {
    host.fill(1000);
    for (unsigned i = 0; i < bytes; ++i) {
      host.put<uint8_t>(host.page_ + offset + i, static_cast<uint8_t>(value >> (8 * i)));
    }
    return host.create_filled().status();
  };
  EXPECT_EQ(with(26, 2, 1), 0x10A) << "no such format";
  EXPECT_EQ(with(29, 1, 1), 0x10A) << "protection information";
  EXPECT_EQ(with(8, 999, 8), 0x11B) << "thin provisioning";
  EXPECT_EQ(with(8, 1001, 8), 0x002) << "NCAP beyond NSZE";
  EXPECT_EQ(with(100, 1, 2), 0x002) << "NVMSETID";
  EXPECT_EQ(with(102, 1, 2), 0x002) << "ENDGID";
  EXPECT_EQ(host.create(0), 0x002u);
  EXPECT_EQ(host.create((64 << 20) / 512 + 1), 0x115u);
  EXPECT_EQ(host.status(Command::make(0x02, kAll).set(10, 15 << 16 | 1).prp(host.data)), 0);
  EXPECT_EQ(host.get<uint64_t>(host.data + 32), (64u << 20) + 4096) << "what it would have taken";
  EXPECT_EQ(host.create(UINT64_MAX), 0x115u);
  EXPECT_EQ(host.create(UINT64_MAX / 512 + 2), 0x115u) << "wraps";
  host.fill(8);
  EXPECT_EQ(host.status(Command::make(0x0D).set(10, 2).prp(host.page_)), 0x002) << "SEL";
  EXPECT_EQ(host.status(Command::make(0x0D, 1).prp(host.page_)), 0x002) << "NSID";
  EXPECT_EQ(host.status(Command::make(0x0D).prp(host.page_ + 2)), 0x013);
  EXPECT_EQ(host.status(Command::make(0x0D).prp(0x5000)), 0x004);
  EXPECT_EQ(host.list(0x10), Nsids());
  EXPECT_EQ(host.create((64 << 20) / 512), 0x1001u) << "all of it";
}

TEST(NamespacesTest, AsManyAsThereAreIdentifiers) {
  NamespacesHost host(one());
  ASSERT_EQ(host.remove(1), 0);
  for (uint32_t nsid = 1; nsid <= 16; ++nsid) EXPECT_EQ(host.create(8), 0x1000 + nsid);
  EXPECT_EQ(host.create(8), 0x116u);
  EXPECT_EQ(host.remove(7), 0);
  EXPECT_EQ(host.create(8), 0x1007u) << "the one that is free";
}

TEST(NamespacesTest, DeleteAndAttachmentChecks) {
  NamespacesHost host(one());
  for (const uint32_t nsid : {0u, 17u, 0xFFFFFFFEu}) {
    EXPECT_EQ(host.remove(nsid), 0x00B) << nsid;
    EXPECT_EQ(host.attach(nsid), 0x00B) << nsid;
    EXPECT_EQ(host.detach(nsid), 0x00B) << nsid;
  }
  EXPECT_EQ(host.remove(2), 0x002) << "not allocated";
  EXPECT_EQ(host.attach(2), 0x002);
  EXPECT_EQ(host.attach(kAll), 0x002);
  EXPECT_EQ(host.attachment(1, 2), 0x002) << "SEL";
  EXPECT_EQ(host.attach(1), 0x118);
  EXPECT_EQ(host.attachment(1, 1, 0x00020001), 0x11C) << "no such controller";
  EXPECT_EQ(host.attachment(1, 1, 0x00010000), 0x11C) << "none";
  EXPECT_EQ(host.attachment(1, 1, 0x00010002), 0x11C) << "two";
  EXPECT_EQ(host.attachment(1, 1, 0x0001FFFF), 0x11C);
  EXPECT_EQ(host.detach(1), 0);
  EXPECT_EQ(host.detach(1), 0x11A);
  EXPECT_EQ(host.remove(1), 0);
}

TEST(NamespacesTest, WhatBecomesOfTheOthers) {
  Config config = TestHost::quick();
  config.namespaces = 2;
  NamespacesHost host(config);
  ASSERT_EQ(host.write(1, 1), 0);
  ASSERT_EQ(host.write(2, 2), 0);
  ASSERT_EQ(host.remove(1), 0);
  EXPECT_EQ(host.read(2), 2u);
  ASSERT_EQ(host.detach(2), 0);
  EXPECT_EQ(host.status(Command::make(0x80, kAll)), 0) << "formats what is attached, here nothing";
  ASSERT_EQ(host.attach(2), 0);
  EXPECT_EQ(host.read(2), 2u);
  EXPECT_EQ(host.status(Command::make(0x80, kAll)), 0);
  EXPECT_EQ(host.read(2), 0u);
}

TEST(NamespacesTest, IdentifiersAreNeverUsedAgain) {
  NamespacesHost host(one());
  const auto nguid = [&] {
    EXPECT_EQ(host.identify(0x11, 1), 0);
    return std::string(reinterpret_cast<char*>(host.at(host.page_ + 104)), 24);
  };
  const std::string first = nguid();
  ASSERT_EQ(host.remove(1), 0);
  ASSERT_EQ(host.create(8), 0x1001u);
  EXPECT_NE(nguid(), first);
}

TEST(NamespacesTest, ChangedNamespacesAreReported) {
  NamespacesHost host(one());
  const auto event = [&] {
    const auto done = host.poll(host.admin);
    return done ? done->cdw0() : 0;
  };
  ASSERT_EQ(host.status(Command::make(0x09).set(10, 0x0B).set(11, 0x100)), 0);
  host.submit(host.admin, Command::make(0x0C), 900);
  EXPECT_EQ(host.detach(1), 0);
  EXPECT_EQ(event(), 0x040002u) << "notice, attribute changed, log 04h";
  EXPECT_EQ(host.changed(), 1u);
  EXPECT_EQ(host.changed(), 0u) << "reading it clears it";
  host.submit(host.admin, Command::make(0x0C), 901);
  EXPECT_EQ(host.remove(1), 0);
  EXPECT_EQ(event(), 0u) << "it was not attached";
  EXPECT_EQ(host.create(8), 0x1001u);
  EXPECT_EQ(event(), 0u);
  EXPECT_EQ(host.attach(1), 0);
  EXPECT_EQ(event(), 0x040002u);
  EXPECT_EQ(host.changed(), 1u);
  ASSERT_EQ(host.status(Command::make(0x09).set(10, 0x0B).set(11, 0)), 0);
  host.submit(host.admin, Command::make(0x0C), 902);
  EXPECT_EQ(host.detach(1), 0);
  EXPECT_EQ(event(), 0u) << "switched off";
  EXPECT_EQ(host.changed(), 1u);
}

TEST(NamespacesTest, ThePersistentEventLogTells) {
  NamespacesHost host(one());
  ASSERT_EQ(host.remove(1), 0);
  ASSERT_EQ(host.create(1000), 0x1001u);
  // LSP 1: establish the context and read it.
  ASSERT_EQ(host.status(Command::make(0x02, kAll).set(10, 1023 << 16 | 1 << 8 | 13).prp(host.data)),
            0);
  EXPECT_EQ(host.get<uint8_t>(host.data + 480) >> 6 & 1, 1) << "supported";
  const uint64_t newest = host.data + 512;
  EXPECT_EQ(host.get<uint8_t>(newest), 0x06) << "Change Namespace";
  const uint64_t created = newest + 24;
  EXPECT_EQ(host.get<uint32_t>(created), 0u) << "CDW10: create";
  EXPECT_EQ(host.get<uint64_t>(created + 8), 1000u) << "NSZE";
  EXPECT_EQ(host.get<uint32_t>(created + 44), 1u) << "NSID";
  const uint64_t removed = created + 48;
  EXPECT_EQ(host.get<uint8_t>(removed), 0x06);
  EXPECT_EQ(host.get<uint32_t>(removed + 24), 1u) << "CDW10: delete";
  EXPECT_EQ(host.get<uint32_t>(removed + 24 + 44), 1u);
}

TEST(NamespacesTest, ReadsUnderWayEndCleanly) {
  Config config = TestHost::quick();
  config.latency_scale = 1;
  NamespacesHost host(config);
  const auto under_way = [&](const Command& admin) {
    std::memset(host.at(host.data), 0xEE, 4096);
    const uint16_t cid = host.submit(host.q, read_command(host.data, 0, 1));
    host.submit(host.admin, admin);
    const Completion done = host.wait(host.q);
    EXPECT_EQ(done.cid(), cid);
    EXPECT_EQ(host.wait(host.admin).status(), 0);
    EXPECT_EQ(*host.at(host.data + 512), 0xEE) << "not a byte more";
    return done.status();
  };
  EXPECT_EQ(under_way(Command::make(0x80, 1).set(10, 1)), 0x084);
  EXPECT_EQ(under_way(Command::make(0x80, 1).set(10, 0)), 0x084);
  EXPECT_EQ(under_way(Command::make(0x0D, 1).set(10, 1)), 0x002);
}

TEST(NamespacesTest, GetLbaStatus) {
  NamespacesHost host(one());
  const auto status_of = [&](uint64_t slba, uint32_t rl, uint32_t dwords, uint32_t atype) {
    std::memset(host.at(host.page_), 0xEE, 4096);
    return host.status(Command::make(0x86, 1)
                           .slba(slba)
                           .set(12, dwords - 1)
                           .set(13, atype << 24 | rl)
                           .prp(host.page_));
  };
  const auto dword = [&](unsigned i) { return host.get<uint32_t>(host.page_ + i * 4); };
  const auto bad = [&](uint64_t slba, uint32_t nlb) {
    return host.status(host.q, Command::make(0x04, 1).slba(slba).nlb(nlb));
  };
  for (const uint32_t atype : {0x10u, 0x11u}) {
    EXPECT_EQ(status_of(0, 0, 1024, atype), 0);
    EXPECT_EQ(dword(0), 0u);
    EXPECT_EQ(dword(1), 2u) << "complete";
    EXPECT_EQ(dword(2), 0xEEEEEEEEu);
  }
  ASSERT_EQ(bad(5, 10), 0);
  ASSERT_EQ(bad(16, 1), 0);
  ASSERT_EQ(bad(100'000, 1), 0);
  ASSERT_EQ(host.write(1, 1, 7), 0) << "good again";
  EXPECT_EQ(status_of(0, 0, 1024, 0x11), 0);
  EXPECT_EQ(dword(0), 4u);
  EXPECT_EQ((Nsids{dword(2), dword(4), dword(6), dword(8)}), (Nsids{5, 2, 8, 7}));
  EXPECT_EQ((Nsids{dword(10), dword(12), dword(14), dword(16)}), (Nsids{16, 1, 100'000, 1}));
  EXPECT_EQ(dword(18), 0xEEEEEEEEu);
  EXPECT_EQ(status_of(6, 5, 1024, 0x10), 0);
  EXPECT_EQ((Nsids{dword(0), dword(2), dword(4), dword(6), dword(8)}), (Nsids{2, 6, 1, 8, 3}));
  EXPECT_EQ(status_of(0, 0, 13, 0x10), 0) << "room for two and a half";
  EXPECT_EQ((Nsids{dword(0), dword(1)}), (Nsids{2, 1})) << "incomplete";
  EXPECT_EQ(dword(10), 0xEEEEEEEEu);
  EXPECT_EQ(status_of(0, 0, 1, 0x10), 0);
  EXPECT_EQ(dword(1), 0xEEEEEEEEu) << "NLSD alone";

  const uint32_t lbas = (64 << 20) / 512;
  EXPECT_EQ(status_of(lbas - 1, 1, 16, 0x10), 0);
  EXPECT_EQ(status_of(lbas - 1, 2, 16, 0x10), 0x080);
  EXPECT_EQ(status_of(lbas, 0, 16, 0x10), 0x080);
  EXPECT_EQ(status_of(0, 0, 16, 0), 0x002) << "ATYPE";
  for (const auto& [nsid, expected] : {std::pair(0u, 0x00B), {2u, 0x002}, {kAll, 0x002}}) {
    EXPECT_EQ(host.status(Command::make(0x86, nsid).set(13, 0x10u << 24)), expected);
  }
}

TEST(NamespacesTest, FormatsOfTheConfiguration) {
  NamespacesHost host(Config::parse(
      "capacity=64MiB,latency=0,lbaformats=4096+1024,nssizes=16MiB+1MiB,nsformats=1024+4096"));
  EXPECT_EQ(host.unallocated(), 47u << 20);
  EXPECT_EQ(host.nsze(1), (16u << 20) / 1024);
  EXPECT_EQ(host.get<uint8_t>(host.page_ + 26), 1) << "FLBAS";
  EXPECT_EQ(host.get<uint32_t>(host.page_ + 128), 0x000C0000u);
  EXPECT_EQ(host.get<uint32_t>(host.page_ + 132), 0x010A0000u) << "1024 bytes";
  EXPECT_EQ(host.nsze(2), 256u);
  ASSERT_EQ(host.write(1, 9, 3), 0);
  EXPECT_EQ(host.read(1, 3), 9u);
  EXPECT_EQ(host.read(1, 2), 0u);
  EXPECT_EQ(host.status(Command::make(0x80, 1)), 0);
  EXPECT_EQ(host.nsze(1), 4096u);
}

class NamespacesFileTest : public ::testing::Test {
 protected:
  NamespacesFileTest()
      : path_(::testing::TempDir() + "pynvme_layout_" + std::to_string(getpid())) {}
  ~NamespacesFileTest() override {
    for (const char* suffix : {"", ".1", ".2", ".15"}) std::remove((path_ + suffix).c_str());
  }
  Config config() const {
    Config config = TestHost::quick();
    config.file = path_;
    return config;
  }
  bool exists(const std::string& suffix) const {
    return access((path_ + suffix).c_str(), F_OK) == 0;
  }

  std::string path_;
};

TEST_F(NamespacesFileTest, TheLayoutOutlivesTheProcess) {
  std::string nguid;
  {
    NamespacesHost host(config());
    ASSERT_EQ(host.write(1, 5), 0);
    ASSERT_EQ(host.remove(1), 0);
  }
  {
    NamespacesHost host(config());
    EXPECT_EQ(host.list(0x10), Nsids());
    ASSERT_EQ(host.create(1000), 0x1001u);
    ASSERT_EQ(host.create(100, 1), 0x1002u);
    ASSERT_EQ(host.create(50, 1), 0x1003u);
    ASSERT_EQ(host.attach(1), 0);
    ASSERT_EQ(host.attach(2), 0);
    EXPECT_EQ(host.read(1), 0u);
    ASSERT_EQ(host.write(1, 6, 999), 0);
    ASSERT_EQ(host.write(2, 7, 99), 0);
    ASSERT_EQ(host.status(Command::make(0x80, 2)), 0) << "to 512 bytes";
    ASSERT_EQ(host.write(2, 8, 799), 0);
    ASSERT_EQ(host.identify(0x11, 1), 0);
    nguid.assign(reinterpret_cast<char*>(host.at(host.page_ + 104)), 16);
    EXPECT_TRUE(exists(".1") && exists(".2"));
    ASSERT_EQ(host.remove(3), 0);
    EXPECT_FALSE(exists(".2"));
  }
  NamespacesHost host(config());
  EXPECT_EQ(host.list(0x02), (Nsids{1, 2}));
  EXPECT_EQ(host.nsze(1), 1000u);
  EXPECT_EQ(std::string(reinterpret_cast<char*>(host.at(host.page_ + 104)), 16), nguid);
  EXPECT_EQ(host.read(1, 999), 6u);
  EXPECT_EQ(host.nsze(2), 800u);
  EXPECT_EQ(host.read(2, 799), 8u);
  ASSERT_EQ(host.create(8), 0x1003u);
  ASSERT_EQ(host.attach(3), 0);
  EXPECT_EQ(host.read(3), 0u);
}

TEST_F(NamespacesFileTest, AnotherDriveIsRefused) {
  {
    NamespacesHost host(config());
    ASSERT_EQ(host.remove(1), 0);
  }
  Config other = config();
  other.capacity_bytes *= 2;
  try {
    NamespacesHost host(other);
    FAIL();
  } catch (const std::runtime_error& error) {
    EXPECT_EQ(error.what(),
              "the embedded SSD cannot use the media file " + path_ +
                  ": it was made for 67108864 bytes in 1 namespaces with lba=512; give the same "
                  "capacity, namespaces and lba as then, or name another file");
  }
}

}  // namespace
}  // namespace pynvme::ssd::testing
