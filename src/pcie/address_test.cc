// Every form of a device name, and what is said about the rest.
#include "pcie/address.h"

#include <gtest/gtest.h>

namespace pynvme::pcie {
namespace {

using Kind = Address::Kind;

TEST(AddressTest, TheEmbeddedSsdIsTheDefault) {
  for (const char* text : {"", "sim", " sim ", "sim:"}) {
    const Address address = parse_address(text);
    EXPECT_EQ(address.kind, Kind::kEmbedded) << text;
    EXPECT_EQ(address.name, "sim");
    EXPECT_EQ(address.options, "");
  }
  const Address address = parse_address("sim:capacity=1GB,lba=4096");
  EXPECT_EQ(address.name, "sim:capacity=1GB,lba=4096");
  EXPECT_EQ(address.options, "capacity=1GB,lba=4096");
}

TEST(AddressTest, PciAddressesAreNormalised) {
  struct Case {
    const char* text;
    const char* name;
  };
  for (const Case c : {Case{"01:00.0", "0000:01:00.0"}, Case{"0000:01:00.0", "0000:01:00.0"},
                       Case{"AB:1F.7", "0000:ab:1f.7"}, Case{"1:0.0", "0000:01:00.0"},
                       Case{"10000:e1:00.0", "00010000:e1:00.0"}}) {
    const Address address = parse_address(c.text);
    EXPECT_EQ(address.kind, Kind::kPci) << c.text;
    EXPECT_EQ(address.name, c.name);
  }
}

TEST(AddressTest, TcpTargets) {
  const Address plain = parse_address("10.24.48.17");
  EXPECT_EQ(plain.kind, Kind::kTcp);
  EXPECT_EQ(plain.host, "10.24.48.17");
  EXPECT_EQ(plain.port, 4420);
  const Address port = parse_address("127.0.0.1:4421;nqn=nqn.2014-08.org:x");
  EXPECT_EQ(port.port, 4421);
  EXPECT_EQ(port.options, "nqn.2014-08.org:x");
  EXPECT_EQ(port.name, "127.0.0.1:4421;nqn=nqn.2014-08.org:x");
  const Address six = parse_address("[::1]:4420");
  EXPECT_EQ(six.kind, Kind::kTcp);
  EXPECT_EQ(six.host, "::1");
  EXPECT_EQ(parse_address("[fe80::2]").name, "[fe80::2]:4420");
}

TEST(AddressTest, SecretsAreInNoNameAndInNoError) {
  const Address address =
      parse_address("10.0.0.1;dhchap_secret=DHHC-1:00:abcd:;hdgst=1;dhchap_ctrl_secret=swordfish");
  EXPECT_EQ(address.name, "10.0.0.1:4420;hdgst=1");
  EXPECT_EQ(address.parameters[0].second, "DHHC-1:00:abcd:");
  EXPECT_EQ(address.parameters[2].second, "swordfish");
  EXPECT_EQ(without_secrets("10.0.0.1;dhchap_secret=x;hdgst=1;"),
            "10.0.0.1;dhchap_secret=...;hdgst=1;");
  EXPECT_EQ(without_secrets("10.0.0.1;dhchap=DHHC-1:00:abcd:"), "10.0.0.1;dhchap=...");
  EXPECT_EQ(without_secrets(""), "");
  try {
    parse_address("10.0.0.1;dhchap_secret=swordfish;dhchap=DHHC-1:00:abcd:");
    FAIL();
  } catch (const AddressError& error) {
    const std::string what = error.what();
    EXPECT_EQ(what.find("swordfish"), std::string::npos) << what;
    EXPECT_EQ(what.find("abcd"), std::string::npos) << what;
  }
}

TEST(AddressTest, Sockets) {
  EXPECT_EQ(parse_address("unix:/run/ssd.sock").path, "/run/ssd.sock");
  EXPECT_EQ(parse_address("/run/ssd.sock").name, "unix:/run/ssd.sock");
  EXPECT_EQ(parse_address("/run/ssd.sock").kind, Kind::kSocket);
}

TEST(AddressTest, TheRestIsRefusedWithTheFormsThatExist) {
  for (const char* text :
       {"nvme0",     "simulator",    "01:00",         "01:20.0",    "01:00.8",
        "100:00.0",  "gg:00.0",      "300.1.1.1",     "10.0.0.1:0", "10.0.0.1:65536",
        "10.0.0.1:", "10.0.0.1;x=1", "10.0.0.1;nqn=", "[::1",       "[x]:1",
        "[::1]4420", "unix:",        "01:00.0.0",     ":00.0",      "0000:0000:01:00.0"}) {
    try {
      parse_address(text);
      ADD_FAILURE() << text;
    } catch (const AddressError& error) {
      const std::string what = error.what();
      EXPECT_NE(what.find("\"" + std::string(text) + "\""), std::string::npos) << what;
      EXPECT_NE(what.find("\"sim:key=value,...\""), std::string::npos) << what;
      EXPECT_NE(what.find("0000:01:00.0"), std::string::npos) << what;
    }
  }
}

}  // namespace
}  // namespace pynvme::pcie
