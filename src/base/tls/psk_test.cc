#include "base/tls/psk.h"

#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include <gtest/gtest.h>

#include "base/test_crypto.h"

namespace pynvme::base::tls {
namespace {

const std::string kHost = "nqn.2024-01.org.example:host";
const std::string kSub = "nqn.2024-01.org.example:sub";
// Of 32 and 48 bytes A5h, as nvme-cli 2.13 (`nvme gen-tls-key --secret=...`) writes them.
const std::string kKey = "NVMeTLSkey-1:01:paWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWFL193:";
const std::string kKey48 =
    "NVMeTLSkey-1:02:paWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlTaNE9w==:";

class Psk : public NeedsCrypto {};

TEST(PskText, IsReadAsOthersWriteIt) {
  PreSharedKey key = parse_key(kKey);
  EXPECT_EQ(key.bytes, Secret(32, 0xA5));
  EXPECT_EQ(key.hash, Hash::kSha256);
  EXPECT_FALSE(key.retained);
  key = parse_key(" " + kKey48 + "\n");
  EXPECT_EQ(key.bytes, Secret(48, 0xA5));
  EXPECT_EQ(key.hash, Hash::kSha384);
  // Without a hash the length says which one TLS takes.
  std::string retained = kKey48;
  retained.replace(13, 2, "00");
  key = parse_key(retained);
  EXPECT_TRUE(key.retained);
  EXPECT_EQ(key.hash, Hash::kSha384);
}

TEST(PskText, WhatIsNoKeyIsRefusedWithoutBeingQuoted) {
  std::string flipped = kKey;
  flipped[20] = 'Q';
  std::string hash = kKey;
  hash[14] = '3';
  for (const std::string& text :
       {std::string(), std::string("NVMeTLSkey-1:"), std::string("NVMeTLSkey-2:01:AA==:"),
        kKey.substr(0, kKey.size() - 1), kKey.substr(0, 40) + ":", flipped, hash,
        std::string("NVMeTLSkey-1:01:AAAAAAAA:"), "x" + kKey}) {
    try {
      parse_key(text);
      FAIL() << text;
    } catch (const KeyError& error) {
      EXPECT_EQ(std::string(error.what()).find("paWl"), std::string::npos) << error.what();
    }
    try {
      load_key(text);
      FAIL() << text;
    } catch (const KeyError& error) {
      EXPECT_EQ(std::string(error.what()).find("paWl"), std::string::npos) << error.what();
    }
  }
}

TEST(PskText, ComesFromAFile) {
  const auto path =
      std::filesystem::temp_directory_path() / ("pynvme-psk-test-" + std::to_string(getpid()));
  std::ofstream(path) << kKey << "\nanother line\n";
  EXPECT_EQ(load_key(path.string()).bytes, Secret(32, 0xA5));
  std::filesystem::remove(path);
}

// The second of each version are the words of libnvme 1.13, `nvme check-tls-key --identity=...`.
TEST_F(Psk, IdentitiesAreThoseOfOthers) {
  auto all = identities(parse_key(kKey), kHost, kSub);
  ASSERT_EQ(all.size(), 4U);
  EXPECT_EQ(all[1].name,
            "NVMe1R01 " + kHost + " " + kSub + " w5tSgZ+0LGYTUVWpcyQCrNAX126ul19z5p1oIIT7D+E=");
  EXPECT_EQ(all[3].name, "NVMe0R01 " + kHost + " " + kSub);
  EXPECT_EQ(all[2].name, all[3].name);
  EXPECT_NE(all[0].name, all[1].name);
  EXPECT_NE(all[2].psk, all[3].psk);
  for (const Identity& one : all) EXPECT_EQ(one.psk.size(), 32U);
  all = identities(parse_key(kKey48), kHost, kSub);
  ASSERT_EQ(all.size(), 4U);
  EXPECT_EQ(all[1].name, "NVMe1R02 " + kHost + " " + kSub +
                             " RFUayZle9L62hBBvkuFcl/h3ibdjQ5Es5hsq8MUw+XV9pZ6PrGLt6dSu30r49Rcm");
  for (const Identity& one : all) EXPECT_EQ(one.psk.size(), 48U);
}

// Computed once more with Python's hmac, from RFC 5869, RFC 8446 §7.1 and NVMe TCP Transport 1.1.
TEST_F(Psk, KeysAreDerivedAsSpecified) {
  auto all = identities(parse_key(kKey), kHost, kSub);
  ASSERT_EQ(all.size(), 4U);
  EXPECT_EQ(all[0].name,
            "NVMe1R01 " + kHost + " " + kSub + " Y5gw10t/xMcdhgU3rHZQ9jr7CPsyuv1zJe7RROxVTCk=");
  EXPECT_EQ(hex(all[0].psk), "0ff467b83ee675c04a3976128f410125038d781eb1bd1a891cc70b12825133ca");
  EXPECT_EQ(hex(all[1].psk), "3f300112f858546896bf9d3f399027a08a79e0c75be3996938ec20f7681d51b3");
  EXPECT_EQ(hex(all[2].psk), "06baca9d7a21310a58a6cd09aa6d1c0eb341af0bf888d7b1c743ac1d51f5ab3d");
  EXPECT_EQ(hex(all[3].psk), "3ad323b93a6ec88ebae3995c5c12e665d53dd2fed9bcad25e6c758d491d19400");
  all = identities(parse_key(kKey48), kHost, kSub);
  ASSERT_EQ(all.size(), 4U);
  EXPECT_EQ(all[0].name, "NVMe1R02 " + kHost + " " + kSub +
                             " 528hEx9WDnMmd8qBN3fzT+XOycTm6UpSPujx8FrcP0z0C45T7Pd4lOamugJd/40H");
  EXPECT_EQ(hex(all[0].psk),
            "670740835296f90ead2a8247dc5cbc3362ef47a925cc01c2be466a098aaea4f9"
            "6043ec11e7b55d52471b08eb80c31264");
}

TEST_F(Psk, LongNamesHaveNoContextInVersion0) {
  const auto all = identities(parse_key(kKey), std::string(200, 'h'), std::string(200, 's'));
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[2].name.substr(0, 8), "NVMe0R01");
}

TEST(PskText, NamesOfAnIdentity) {
  Names names = names_in("NVMe1R01 " + kHost + " " + kSub + " digest=");
  EXPECT_EQ(names.hostnqn, kHost);
  EXPECT_EQ(names.subnqn, kSub);
  names = names_in("NVMe0R02 " + kHost + " " + kSub);
  EXPECT_EQ(names.subnqn, kSub);
  EXPECT_EQ(names_in("Client_identity").hostnqn, "");
  EXPECT_EQ(names_in("NVMe0R01").hostnqn, "");
}

}  // namespace
}  // namespace pynvme::base::tls
