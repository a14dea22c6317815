#include "ssd/config.h"

#include <stdexcept>

#include <gtest/gtest.h>

namespace pynvme::ssd {
namespace {

std::string error_of(const std::string& text) {
  try {
    Config::parse(text);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "";
}

TEST(Config, EmptyTextGivesTheDefaults) {
  const Config config = Config::parse("");
  EXPECT_EQ(config.capacity_bytes, 256'000'000'000);
  EXPECT_EQ(config.lba_bytes, 512);
  EXPECT_EQ(config.io_queues, 16);
  EXPECT_EQ(config.mqes, 1023);
  EXPECT_EQ(config.mdts_bytes, 131072);
  EXPECT_EQ(config.version, 0x0001'0400);
}

TEST(Config, SetsEveryKey) {
  const Config config = Config::parse(
      "capacity=1TiB,lba=4096,queues=4,mqes=63,mdts=1MiB,namespaces=2,cache=0,latency=0.5,seed="
      "0x10,"
      "file=/tmp/a=b,model=A "
      "drive,serial=S1,firmware=9.9,elpe=1,aerl=2,acl=3,version=2.0,ready_ms=100,"
      "timeout=2,dstrd=1,interrupts=msi,lbaformats=4096+512+1024,nssizes=1GB+2GiB,nsformats=4096+"
      "512,"
      "powerstates=2");
  EXPECT_EQ(config.capacity_bytes, 1ULL << 40);
  EXPECT_EQ(config.lba_bytes, 4096);
  EXPECT_EQ(config.io_queues, 4);
  EXPECT_EQ(config.mqes, 63);
  EXPECT_EQ(config.mdts_bytes, 1U << 20);
  EXPECT_EQ(config.namespaces, 2);
  EXPECT_EQ(config.cache_bytes, 0);
  EXPECT_EQ(config.latency_scale, 0.5);
  EXPECT_EQ(config.seed, 16);
  EXPECT_EQ(config.file, "/tmp/a=b");
  EXPECT_EQ(config.model, "A drive");
  EXPECT_EQ(config.serial, "S1");
  EXPECT_EQ(config.firmware, "9.9");
  EXPECT_EQ(config.elpe, 1);
  EXPECT_EQ(config.aerl, 2);
  EXPECT_EQ(config.acl, 3);
  EXPECT_EQ(config.version, 0x0002'0000);
  EXPECT_EQ(config.ready_ms, 100);
  EXPECT_EQ(config.timeout_500ms, 2);
  EXPECT_EQ(config.doorbell_stride, 1);
  EXPECT_EQ(config.interrupts, InterruptCapability::kMsi);
  EXPECT_EQ(config.lba_formats, (std::vector<uint32_t>{4096, 512, 1024}));
  EXPECT_EQ(config.ns_bytes, (std::vector<uint64_t>{999'997'440, 2ULL << 30}));
  EXPECT_EQ(config.ns_formats, (std::vector<uint32_t>{4096, 512}));
  EXPECT_EQ(config.power_states, 2);
}

TEST(Config, KnowsUnitsOfCapacity) {
  const auto capacity = [](const std::string& text) {
    return Config::parse("capacity=" + text).capacity_bytes;
  };
  EXPECT_EQ(capacity("1048576"), 1048576);
  EXPECT_EQ(capacity("2MiB"), 2ULL << 20);
  EXPECT_EQ(capacity("4096MB"), 4'096'000'000);
  EXPECT_EQ(capacity("1GB"), 999'997'440);  // whole units of 4096 bytes
  EXPECT_EQ(capacity("3GiB"), 3ULL << 30);
  EXPECT_EQ(capacity("512GB"), 512'000'000'000);
  EXPECT_EQ(capacity("2TB"), 2'000'000'000'000);
  EXPECT_EQ(capacity("1.92TB"), 1'920'000'000'000);
  EXPECT_EQ(capacity("8TiB"), 8ULL << 40);
}

TEST(Config, FormatsAndSizesOfNamespacesTellHowManyThereAre) {
  EXPECT_EQ(Config::parse("nsformats=512+4096").namespaces, 2U);
  EXPECT_EQ(Config::parse("nssizes=1MiB+2MiB+3MiB").namespaces, 3U);
  EXPECT_EQ(Config::parse("lbaformats=4096").lba_bytes, 4096U);
  EXPECT_EQ(Config::parse("lbaformats=4096+512").lba_bytes, 512U);
  EXPECT_EQ(error_of("lbaformats=4096,lba=512"), "lba=512: this is not possible; give 4096");
  EXPECT_EQ(error_of("nsformats=512+4096,namespaces=3"),
            "nsformats=2 formats: this is not possible; give 3, as there are namespaces");
  EXPECT_EQ(error_of("capacity=3MiB,nssizes=2MiB+2MiB"),
            "nssizes=2097152: this is not possible; give no more than the capacity in all");
}

TEST(Config, UnknownKeyListsTheKeys) {
  EXPECT_EQ(
      error_of("speed=9"),
      "\"speed\" is no key of an embedded SSD; the keys are capacity, lba, queues, mqes, mdts, "
      "namespaces, cache, latency, seed, file, model, serial, firmware, elpe, aerl, acl, "
      "version, ready_ms, timeout, dstrd, interrupts, lbaformats, nssizes, nsformats, "
      "powerstates, trace");
}

TEST(Config, RefusalNamesKeyValueAndWhatIsPossible) {
  EXPECT_EQ(error_of("lba=513"), "lba=513: this is not possible; give 512 or 4096");
  EXPECT_EQ(error_of("queues=0"),
            "queues=0: this is not possible; give a whole number from 1 to 1024");
  EXPECT_EQ(error_of("seed"), "seed=: this is not possible; give a value: key=value,key=value");
  EXPECT_EQ(error_of("acl=1,acl=1"), "acl=1: this is not possible; give each key only once");
}

TEST(Config, RefusesWhatIsOutOfBounds) {
  for (const char* text : {"capacity=0",
                           "capacity=1MB1",
                           "capacity=9TiB",
                           "capacity=1000001",
                           "capacity=-1GB",
                           "capacity=99999999999TB",
                           "capacity=nanGB",
                           "lba=",
                           "queues=1025",
                           "queues=1.5",
                           "mqes=0",
                           "mqes=65536",
                           "mdts=5KiB",
                           "mdts=2048",
                           "mdts=4096",
                           "mdts=512MiB",
                           "namespaces=0",
                           "namespaces=129",
                           "cache=2GiB",
                           "latency=-1",
                           "latency=nan",
                           "latency=1e9",
                           "seed=x",
                           "seed=18446744073709551616",
                           "file=",
                           "model=",
                           "serial=123456789012345678901",
                           "serial=\x01",
                           "firmware=123456789",
                           "elpe=256",
                           "aerl=256",
                           "acl=256",
                           "version=1.3",
                           "ready_ms=127501",
                           "ready_ms=501,timeout=1",
                           "timeout=0",
                           "timeout=256",
                           "dstrd=16",
                           "interrupts=none",
                           "lbaformats=",
                           "lbaformats=512+",
                           "lbaformats=513",
                           "lbaformats=512+512",
                           "lbaformats=512,nsformats=4096",
                           "nsformats=512+x",
                           "nssizes=1KiB",
                           "nssizes=1GB+1GB,namespaces=1",
                           "powerstates=0",
                           "powerstates=6",
                           "capacity=2MiB,namespaces=3",
                           "=1",
                           "lba=512,,lba"}) {
    EXPECT_NE(error_of(text), "") << text;
  }
}

}  // namespace
}  // namespace pynvme::ssd
