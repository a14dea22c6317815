// Message by message against numbers of the published protocol, and what is refused.
#include "ssd/vfio_user/session.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>

#include <gtest/gtest.h>

#include "ssd/vfio_user/test_client.h"

namespace pynvme::ssd::testing {
namespace {

constexpr uint32_t kBar0 = 0;
constexpr uint32_t kConfig = 7;
constexpr const char* kMultiple = R"({"capabilities":{"write_multiple":true,"unknown":[1,{}]}})";

uint64_t taken(int event) {
  uint64_t count = 0;
  return read(event, &count, sizeof(count)) == sizeof(count) ? count : 0;
}

int event() { return eventfd(0, EFD_NONBLOCK); }

std::vector<base::UniqueFd> files(std::initializer_list<int> fds) {
  std::vector<base::UniqueFd> owned;
  for (const int fd : fds) owned.emplace_back(dup(fd));
  return owned;
}

Bytes set_irqs(uint32_t flags, uint32_t index, uint32_t start, uint32_t count) {
  return le({{20, 4}, {flags, 4}, {index, 4}, {start, 4}, {count, 4}});
}

TEST(VfioUserSession, VersionIsAnsweredWithCapabilities) {
  TestClient client(false);
  const auto reply = client.ask(1, le({{0, 2}, {1, 2}}));
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->flags, 1U);
  EXPECT_EQ(get(reply->payload, 0, 4), 0x0001'0000U);
  const std::string json(reply->payload.begin() + 4, reply->payload.end());
  EXPECT_EQ(json.back(), '\0');
  EXPECT_NE(json.find("\"max_data_xfer_size\":1048576"), std::string::npos) << json;
  EXPECT_EQ(client.error_of(1, le({{0, 2}, {1, 2}})), static_cast<uint32_t>(EINVAL));  // twice
  EXPECT_FALSE(client.over);
}

TEST(VfioUserSession, AnotherBeginningEndsTheSession) {
  struct {
    uint16_t command;
    Bytes payload;
  } const wrong[] = {{4, le({{16, 4}, {0, 12}})},
                     {1, le({{1, 2}, {0, 2}})},
                     {1, le({{0, 2}})},
                     {1, le({{0, 2}, {1, 2}, {'{', 1}})},
                     {1, le({{0, 2}, {1, 2}, {'{', 1}, {0, 1}})}};
  for (const auto& [command, payload] : wrong) {
    TestClient client(false);
    EXPECT_EQ(client.error_of(command, payload), static_cast<uint32_t>(EINVAL));
    EXPECT_TRUE(client.over);
  }
  TestClient client;
  client.ask(4, {}, {}, 1);  // a reply to nothing
  EXPECT_TRUE(client.over);
}

TEST(VfioUserSession, IsAPciFunctionWithNineRegionsAndFiveInterrupts) {
  TestClient client;
  const auto reply = client.ask(4, le({{16, 4}, {0, 12}}));
  EXPECT_EQ(reply->payload, le({{16, 4}, {3, 4}, {9, 4}, {5, 4}}));
  EXPECT_EQ(client.error_of(4, le({{15, 4}, {0, 12}})), static_cast<uint32_t>(EINVAL));
  EXPECT_EQ(client.error_of(4, le({{16, 4}, {0, 8}})), static_cast<uint32_t>(EINVAL));
}

TEST(VfioUserSession, DoorbellsCanBeMapped) {
  TestClient client;
  const auto ask = [&](uint32_t argsz, uint32_t index) {
    return client.ask(5, le({{argsz, 4}, {0, 4}, {index, 4}, {0, 4}, {0, 8}, {0, 8}}));
  };
  const auto bar = ask(64, 0);
  EXPECT_EQ(bar->payload, le({{64, 4},
                              {15, 4},
                              {0, 4},
                              {32, 4},
                              {0x4000, 8},
                              {0, 8},
                              {1, 2},
                              {1, 2},
                              {0, 4},
                              {1, 4},
                              {0, 4},
                              {0x1000, 8},
                              {0x1000, 8}}));
  ASSERT_EQ(bar->fds.size(), 1U);
  // Nobody can make the file shorter under the SSD.
  EXPECT_NE(ftruncate(bar->fds[0], 0), 0);
  // The size that is needed, and nothing else, where there is too little room.
  const auto small = ask(32, 0);
  EXPECT_EQ(small->payload, le({{64, 4}, {15, 4}, {0, 4}, {32, 4}, {0x4000, 8}, {0, 8}}));
  EXPECT_TRUE(small->fds.empty());
  EXPECT_EQ(ask(32, 7)->payload, le({{32, 4}, {3, 4}, {7, 4}, {0, 4}, {4096, 8}, {0, 8}}));
  EXPECT_EQ(ask(32, 2)->payload, le({{32, 4}, {0, 4}, {2, 4}, {0, 4}, {0, 8}, {0, 8}}));
  EXPECT_EQ(ask(32, 9)->error, static_cast<uint32_t>(EINVAL));
  EXPECT_EQ(ask(31, 0)->error, static_cast<uint32_t>(EINVAL));
  EXPECT_EQ(client.ask(6, le({{16, 4}, {0, 4}, {0, 4}, {0, 4}}))->payload,
            le({{16, 4}, {0, 4}, {0, 4}, {0, 4}}));
}

TEST(VfioUserSession, RegionsAreReadAndWrittenWithinTheirBounds) {
  TestClient client;
  EXPECT_EQ(client.read(kBar0, 8, 4), 0x0001'0400U);  // VS
  EXPECT_EQ(client.read(kBar0, 10, 2), 1U);
  EXPECT_EQ(client.read(kConfig, 10, 2), 0x0108U);  // class code: NVM
  EXPECT_EQ(client.write(kBar0, 0x24, 0x001F'001F, 4), 0U);
  EXPECT_EQ(client.read(kBar0, 0x24, 4), 0x001F'001FU);
  const auto many = client.ask(9, le({{0, 8}, {kBar0, 4}, {0x40, 4}}));
  EXPECT_EQ(many->payload.size(), 16U + 0x40U);
  const auto invalid = static_cast<uint32_t>(EINVAL);
  const auto access = [&](uint16_t command, uint64_t offset, uint32_t region, uint32_t count,
                          size_t data) {
    Bytes payload = le({{offset, 8}, {region, 4}, {count, 4}});
    payload.resize(payload.size() + data);
    return client.error_of(command, payload);
  };
  EXPECT_EQ(access(9, 0x4000, 0, 4, 0), invalid);
  EXPECT_EQ(access(9, 0x3FFE, 0, 4, 0), invalid);
  EXPECT_EQ(access(9, UINT64_MAX - 1, 0, 4, 0), invalid);
  EXPECT_EQ(access(9, 0, 0, 0, 0), invalid);
  EXPECT_EQ(access(9, 0, 0, UINT32_MAX, 0), invalid);
  EXPECT_EQ(access(9, 0, 1, 4, 0), invalid);
  EXPECT_EQ(access(9, 0, 9, 4, 0), invalid);
  EXPECT_EQ(access(9, 0, UINT32_MAX, 4, 0), invalid);
  EXPECT_EQ(access(10, 0, 0, 4, 3), invalid);
  EXPECT_EQ(access(10, 0, 0, 4, 5), invalid);
  EXPECT_EQ(access(10, 4096, 7, 4, 4), invalid);
  EXPECT_EQ(client.error_of(9, le({{0, 8}})), invalid);
  EXPECT_FALSE(client.over);
}

TEST(VfioUserSession, PostedWritesHaveNoReply) {
  TestClient client;
  EXPECT_FALSE(client.ask(10, le({{0x24, 8}, {0, 4}, {4, 4}, {7, 4}}), {}, 0x10));
  EXPECT_EQ(client.read(kBar0, 0x24, 4), 7U);
  EXPECT_FALSE(client.ask(10, le({{0x4000, 8}, {0, 4}, {4, 4}, {7, 4}}), {}, 0x10));
  EXPECT_FALSE(client.over);
}

TEST(VfioUserSession, WriteMultipleIsForThoseWhoNamedIt) {
  const Bytes two =
      le({{2, 8}, {0x24, 8}, {0, 4}, {4, 4}, {0x11, 8}, {0x28, 8}, {0, 4}, {8, 4}, {0x5000, 8}});
  TestClient plain;
  EXPECT_EQ(plain.error_of(15, two), static_cast<uint32_t>(EINVAL));
  TestClient client(true, kMultiple);
  const auto reply = client.ask(15, two);
  EXPECT_EQ(reply->error, 0U);
  EXPECT_EQ(reply->payload, le({{2, 8}}));
  EXPECT_EQ(client.read(kBar0, 0x24, 4), 0x11U);
  EXPECT_EQ(client.read(kBar0, 0x28, 8), 0x5000U);
  EXPECT_EQ(client.error_of(15, le({{UINT64_MAX, 8}})), static_cast<uint32_t>(EINVAL));
  EXPECT_EQ(client.error_of(15, le({{1, 8}, {0x24, 8}, {0, 4}, {9, 4}, {0, 8}})),
            static_cast<uint32_t>(EINVAL));
}

TEST(VfioUserSession, MemoryIsMappedOnceAndUnmappedWhole) {
  TestClient client;
  EXPECT_EQ(client.map(0x10000, 0x4000, memory_file(0x4000)), 0U);
  EXPECT_EQ(client.map(0x12000, 0x1000, memory_file(0x4000)), static_cast<uint32_t>(EEXIST));
  EXPECT_EQ(client.map(0xF000, 0x2000), static_cast<uint32_t>(EEXIST));
  const auto invalid = static_cast<uint32_t>(EINVAL);
  EXPECT_EQ(client.map(0x20000, 0x2000, memory_file(0x1000)), invalid);  // file too short
  EXPECT_EQ(client.map(0x20000, 0x1000, memory_file(0x1000), 0x1000), invalid);
  EXPECT_EQ(client.map(0x20000, 0x1000, memory_file(0x1000), UINT64_MAX - 0xFFF), invalid);
  EXPECT_EQ(client.map(0x20000, 0, memory_file(0x1000)), invalid);
  EXPECT_EQ(client.map(0x20001, 0x1000, memory_file(0x1000)), invalid);
  EXPECT_EQ(client.map(UINT64_MAX - 0xFFF, 0x2000), invalid);
  EXPECT_EQ(client.map(0x20000, 0x1000, memory_file(0x1000), 0, 0x80), invalid);
  EXPECT_EQ(client.map(0x20000, 0x1000, base::UniqueFd(open("/dev/null", O_RDWR))), invalid);
  EXPECT_EQ(client.map(0x20000, 1ULL << 60), static_cast<uint32_t>(ENOMEM));
  const auto unmap = [&](uint64_t address, uint64_t size, uint32_t flags = 0) {
    return client.ask(3, le({{24, 4}, {flags, 4}, {address, 8}, {size, 8}}));
  };
  EXPECT_EQ(unmap(0x10000, 0x1000)->error, invalid);  // a part
  EXPECT_EQ(unmap(0x11000, 0x3000)->error, invalid);
  EXPECT_EQ(unmap(0x30000, 0x1000)->error, static_cast<uint32_t>(ENOENT));
  EXPECT_EQ(unmap(0x10000, 0x4000, 1)->error, invalid);  // dirty pages are not kept
  EXPECT_EQ(unmap(0x10000, 0x4000)->payload, le({{24, 4}, {0, 4}, {0x10000, 8}, {0x4000, 8}}));
  EXPECT_EQ(client.map(0x10000, 0x4000, memory_file(0x4000)), 0U);
  EXPECT_EQ(unmap(0, 0, 2)->error, 0U);  // all
  EXPECT_EQ(unmap(0x10000, 0x4000)->error, static_cast<uint32_t>(ENOENT));
}

TEST(VfioUserSession, AFileThatIsCutShortEndsTheSession) {
  TestClient client;
  const base::UniqueFd file = memory_file(0x4000);
  EXPECT_EQ(client.map(0, 0x4000, base::UniqueFd(dup(file.get()))), 0U);
  ASSERT_EQ(ftruncate(file.get(), 0), 0);
  client.write(kBar0, 0x24, 0x001F'001F, 4);
  client.write(kBar0, 0x28, 0, 8);
  client.write(kBar0, 0x30, 0x1000, 8);
  client.write(kBar0, 0x14, 0x0046'0001, 4);
  client.write(kBar0, 0x1000, 1, 4);
  client.session->poll_doorbells();
  EXPECT_EQ(client.session->serve(0), VfioUserSession::Served::kOver);
  EXPECT_NE(client.session->end().find("cut short"), std::string::npos) << client.session->end();
}

// Identify Controller by hand: admin queues of 32 entries at 0 and 1000h, data at 2000h.
void identify(TestClient& client, const std::function<void(uint64_t, const Bytes&)>& store,
              bool by_message) {
  EXPECT_EQ(client.write(kBar0, 0x24, 0x001F'001F, 4), 0U);
  EXPECT_EQ(client.write(kBar0, 0x28, 0, 8), 0U);
  EXPECT_EQ(client.write(kBar0, 0x30, 0x1000, 8), 0U);
  EXPECT_EQ(client.write(kBar0, 0x14, 0x0046'0001, 4), 0U);
  ASSERT_EQ(client.read(kBar0, 0x1C, 4), 1U);
  store(0, le({{0x0042'0006, 4}, {0, 4}, {0, 8}, {0, 8}, {0x2000, 8}, {0, 8}, {1, 4}}));
  if (by_message) {
    client.write(kBar0, 0x1000, 1, 4);
  } else {
    *client.device.doorbells() = 1;
    EXPECT_TRUE(client.session->poll_doorbells());
  }
  EXPECT_FALSE(client.session->poll_doorbells());
}

TEST(VfioUserSession, CommandsInSharedMemoryTakeNoMessage) {
  TestClient client;
  const base::UniqueFd file = memory_file(0x4000);
  auto* const memory = static_cast<uint8_t*>(
      mmap(nullptr, 0x4000, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0));
  EXPECT_EQ(client.map(0, 0x4000, base::UniqueFd(dup(file.get()))), 0U);
  const auto store = [&](uint64_t at, const Bytes& bytes) {
    std::memcpy(memory + at, bytes.data(), bytes.size());
  };
  identify(client, store, false);
  const Bytes cqe(memory + 0x1000, memory + 0x1010);
  EXPECT_EQ(cqe, le({{0, 8}, {1, 2}, {0, 2}, {0x42, 2}, {1, 2}}));
  EXPECT_EQ(std::string(memory + 0x2018, memory + 0x2018 + 19), "pynvme embedded SSD");
  EXPECT_TRUE(client.channel.dma.empty());
  munmap(memory, 0x4000);
}

TEST(VfioUserSession, MemoryWithoutAFileGoesByMessages) {
  for (const bool by_message : {false, true}) {
    TestClient client;
    client.channel.memory.resize(0x4000);
    EXPECT_EQ(client.map(0, 0x4000), 0U);
    const int vector = event();
    EXPECT_EQ(client.error_of(8, set_irqs(0x24, 2, 0, 1), files({vector})), 0U);
    const auto store = [&](uint64_t at, const Bytes& bytes) {
      std::memcpy(client.channel.memory.data() + at, bytes.data(), bytes.size());
    };
    identify(client, store, by_message);
    const Bytes& memory = client.channel.memory;
    EXPECT_EQ(Bytes(memory.begin() + 0x1000, memory.begin() + 0x1010),
              le({{0, 8}, {1, 2}, {0, 2}, {0x42, 2}, {1, 2}}));
    EXPECT_EQ(std::string(memory.begin() + 0x2018, memory.begin() + 0x2018 + 19),
              "pynvme embedded SSD");
    EXPECT_EQ(taken(vector), 1U);
    // Data before the completion that tells of it.
    ASSERT_FALSE(client.channel.dma.empty());
    EXPECT_EQ(client.channel.dma.back(), (std::pair<uint64_t, uint64_t>{12, 0x1000}));
    close(vector);
  }
}

TEST(VfioUserSession, NoMessageIsLongerThanTheClientTakes) {
  for (const uint64_t most : {1, 16, 1000, 4096}) {
    const std::string json =
        R"({"capabilities":{"max_data_xfer_size":)" + std::to_string(most) + "}}";
    TestClient client(true, json.c_str());
    client.channel.memory.resize(0x4000);
    EXPECT_EQ(client.map(0, 0x4000), 0U);
    const auto store = [&](uint64_t at, const Bytes& bytes) {
      std::memcpy(client.channel.memory.data() + at, bytes.data(), bytes.size());
    };
    identify(client, store, true);
    const Bytes& memory = client.channel.memory;
    EXPECT_EQ(Bytes(memory.begin() + 0x1000, memory.begin() + 0x1010),
              le({{0, 8}, {1, 2}, {0, 2}, {0x42, 2}, {1, 2}}));
    EXPECT_EQ(std::string(memory.begin() + 0x2018, memory.begin() + 0x2018 + 19),
              "pynvme embedded SSD");
    EXPECT_EQ(client.channel.dma_longest, std::max<uint64_t>(most / 16 * 16, 16));
  }
}

TEST(VfioUserSession, MemoryThatTheClientRefusesIsAnErrorOfTheDevice) {
  TestClient client;
  EXPECT_EQ(client.map(0, 0x4000), 0U);  // and answers no DMA_READ there
  client.write(kBar0, 0x24, 0x001F'001F, 4);
  client.write(kBar0, 0x28, 0, 8);
  client.write(kBar0, 0x30, 0x1000, 8);
  client.write(kBar0, 0x14, 0x0046'0001, 4);
  EXPECT_EQ(client.read(kBar0, 0x1C, 4) & 2, 2U);  // CSTS.CFS
}

// Queues at 0 and 1000h, data at 2000h in a mapping of its own, which allows only `flags`.
uint16_t status_of_identify_into(uint32_t flags, bool by_file, Bytes* data) {
  TestClient client;
  client.channel.memory.resize(0x4000);
  const base::UniqueFd queues = memory_file(0x2000);
  const base::UniqueFd target = memory_file(0x1000);
  const auto file = [&](const base::UniqueFd& fd) {
    return base::UniqueFd(by_file ? dup(fd.get()) : -1);
  };
  EXPECT_EQ(client.map(0, 0x2000, file(queues)), 0U);
  EXPECT_EQ(client.map(0x2000, 0x1000, file(target), 0, flags), 0U);
  const auto store = [&](uint64_t at, const Bytes& bytes) {
    std::memcpy(client.channel.memory.data() + at, bytes.data(), bytes.size());
    if (!by_file) return;
    EXPECT_EQ(pwrite(queues.get(), bytes.data(), bytes.size(), static_cast<off_t>(at)),
              static_cast<ssize_t>(bytes.size()));
  };
  identify(client, store, false);
  Bytes cqe(client.channel.memory.begin() + 0x1000, client.channel.memory.begin() + 0x1010);
  data->assign(client.channel.memory.begin() + 0x2000, client.channel.memory.begin() + 0x3000);
  if (by_file) {
    EXPECT_EQ(pread(queues.get(), cqe.data(), cqe.size(), 0x1000), 16);
    EXPECT_EQ(pread(target.get(), data->data(), data->size(), 0), 0x1000);
  }
  EXPECT_FALSE(client.over);
  return static_cast<uint16_t>(get(cqe, 14, 2) >> 1 & 0x7FF);
}

TEST(VfioUserSession, WhatAMappingDoesNotAllowIsADataTransferError) {
  for (const bool by_file : {true, false}) {
    Bytes data;
    EXPECT_EQ(status_of_identify_into(3, by_file, &data), 0U);
    EXPECT_NE(data, Bytes(0x1000));
    for (const uint32_t flags : {0U, 1U}) {
      EXPECT_EQ(status_of_identify_into(flags, by_file, &data), 0x0004U) << flags;
      EXPECT_EQ(data, Bytes(0x1000));
    }
  }
  Bytes data;
  EXPECT_EQ(status_of_identify_into(2, true, &data), 0U);
  EXPECT_NE(data, Bytes(0x1000));
}

TEST(VfioUserSession, QueuesNeedTheirRights) {
  const auto status = [](uint32_t sq_flags, uint32_t cq_flags) {
    TestClient client;
    EXPECT_EQ(client.map(0, 0x1000, memory_file(0x1000), 0, sq_flags), 0U);
    EXPECT_EQ(client.map(0x1000, 0x1000, memory_file(0x1000), 0, cq_flags), 0U);
    client.write(kBar0, 0x24, 0x001F'001F, 4);
    client.write(kBar0, 0x28, 0, 8);
    client.write(kBar0, 0x30, 0x1000, 8);
    client.write(kBar0, 0x14, 0x0046'0001, 4);
    return client.read(kBar0, 0x1C, 4);
  };
  EXPECT_EQ(status(1, 2), 1U);      // CSTS.RDY
  EXPECT_EQ(status(3, 1) & 2, 2U);  // CSTS.CFS
  EXPECT_EQ(status(2, 3) & 2, 2U);
}

TEST(VfioUserSession, AClientThatRefusesWhatItHasMappedIsLetGo) {
  TestClient client;
  client.channel.memory.resize(0x4000);
  client.channel.read_only = 0x2000;
  EXPECT_EQ(client.map(0, 0x4000), 0U);
  const auto store = [&](uint64_t at, const Bytes& bytes) {
    std::memcpy(client.channel.memory.data() + at, bytes.data(), bytes.size());
  };
  identify(client, store, false);
  EXPECT_EQ(client.session->serve(0), VfioUserSession::Served::kOver);
  EXPECT_NE(client.session->end().find("it refused what the SSD wrote"), std::string::npos);
}

TEST(VfioUserSession, AnAddressOfNothingHoldsNoInterruptBack) {
  TestClient client;
  const base::UniqueFd file = memory_file(0x2000);  // and nothing at 2000h, where the data go
  auto* const memory = static_cast<uint8_t*>(
      mmap(nullptr, 0x2000, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0));
  EXPECT_EQ(client.map(0, 0x2000, base::UniqueFd(dup(file.get()))), 0U);
  const int vector = event();
  EXPECT_EQ(client.error_of(8, set_irqs(0x24, 2, 0, 1), files({vector})), 0U);
  const auto store = [&](uint64_t at, const Bytes& bytes) {
    std::memcpy(memory + at, bytes.data(), bytes.size());
  };
  identify(client, store, false);
  EXPECT_NE(memory[0x100F], 0);  // an error status
  EXPECT_EQ(taken(vector), 1U);
  munmap(memory, 0x2000);
  close(vector);
}

TEST(VfioUserSession, EachInterruptTypeSaysWhatItHas) {
  TestClient client;
  const auto info = [&](uint32_t index) {
    return client.ask(7, le({{16, 4}, {0, 4}, {index, 4}, {0, 4}}));
  };
  EXPECT_EQ(info(0)->payload, le({{16, 4}, {7, 4}, {0, 4}, {1, 4}}));   // INTx
  EXPECT_EQ(info(1)->payload, le({{16, 4}, {3, 4}, {1, 4}, {32, 4}}));  // MSI
  EXPECT_EQ(info(2)->payload, le({{16, 4}, {3, 4}, {2, 4}, {17, 4}}));  // MSI-X
  EXPECT_EQ(info(4)->payload, le({{16, 4}, {0, 4}, {4, 4}, {0, 4}}));
  EXPECT_EQ(info(5)->error, static_cast<uint32_t>(EINVAL));
}

TEST(VfioUserSession, SetIrqsIsCheckedAndDoesWhatItSays) {
  TestClient client;
  const auto invalid = static_cast<uint32_t>(EINVAL);
  const int one = event();
  const int two = event();
  EXPECT_EQ(client.error_of(8, set_irqs(0x24, 2, 3, 2), files({one, two})), 0U);
  EXPECT_EQ(client.read(kConfig, 0x42, 2) & 0x8000U, 0U);      // where MSI-X is is not assumed
  EXPECT_EQ(client.error_of(8, set_irqs(0x21, 2, 3, 1)), 0U);  // DATA_NONE: a test shot
  EXPECT_EQ(taken(one), 1U);
  EXPECT_EQ(taken(two), 0U);
  Bytes flags = set_irqs(0x22, 2, 3, 2);  // DATA_BOOL
  flags.insert(flags.end(), {0, 1});
  EXPECT_EQ(client.error_of(8, flags), 0U);
  EXPECT_EQ(taken(one), 0U);
  EXPECT_EQ(taken(two), 1U);
  EXPECT_EQ(client.error_of(8, set_irqs(0x09, 2, 3, 1)), 0U);  // mask
  EXPECT_EQ(client.error_of(8, set_irqs(0x21, 2, 3, 1)), 0U);
  EXPECT_EQ(taken(one), 0U);
  EXPECT_EQ(client.error_of(8, set_irqs(0x11, 2, 3, 1)), 0U);  // unmask
  EXPECT_EQ(taken(one), 1U);
  EXPECT_EQ(client.error_of(8, set_irqs(0x24, 2, 3, 1)), 0U);  // no descriptor: taken away
  EXPECT_EQ(client.error_of(8, set_irqs(0x21, 2, 3, 2)), 0U);
  EXPECT_EQ(taken(one), 0U);
  EXPECT_EQ(taken(two), 1U);
  EXPECT_EQ(client.error_of(8, set_irqs(0x21, 2, 0, 0)), 0U);  // all off
  EXPECT_EQ(client.error_of(8, set_irqs(0x21, 2, 4, 1)), 0U);
  EXPECT_EQ(taken(two), 0U);
  for (const Bytes& wrong :
       {set_irqs(0x24, 5, 0, 0), set_irqs(0x24, 2, 17, 1), set_irqs(0x24, 2, 0, 18),
        set_irqs(0x24, 2, UINT32_MAX, 2), set_irqs(0x24, 2, 1, UINT32_MAX), set_irqs(0x27, 2, 0, 1),
        set_irqs(0x04, 2, 0, 1), set_irqs(0x64, 2, 0, 1), set_irqs(0x3C, 2, 0, 1),
        set_irqs(0x0C, 2, 0, 1), set_irqs(0x22, 2, 0, 1), le({{20, 4}, {0x24, 4}, {2, 4}}),
        le({{19, 4}, {0x24, 4}, {2, 4}, {0, 4}, {1, 4}})}) {
    EXPECT_EQ(client.error_of(8, wrong), invalid);
  }
  EXPECT_EQ(client.error_of(8, set_irqs(0x24, 2, 0, 3), files({one, two})), invalid);
  EXPECT_EQ(client.error_of(8, set_irqs(0x21, 2, 0, 1), files({one})), invalid);
  close(one);
  close(two);
}

TEST(VfioUserSession, AnEventfdIsTheClientsAndNeverWaitedFor) {
  TestClient client;
  const base::UniqueFd mine(eventfd(0, EFD_CLOEXEC));  // a client may wait for it by reading it
  EXPECT_EQ(client.error_of(8, set_irqs(0x24, 2, 0, 1), files({mine.get()})), 0U);
  EXPECT_EQ(fcntl(mine.get(), F_GETFL) & O_NONBLOCK, 0);
  const uint64_t full = UINT64_MAX - 1;
  ASSERT_EQ(write(mine.get(), &full, sizeof(full)), static_cast<ssize_t>(sizeof(full)));
  EXPECT_EQ(client.error_of(8, set_irqs(0x21, 2, 0, 1)), 0U);
  EXPECT_GE(taken(mine.get()), full);
  std::array<int, 2> ends{};
  ASSERT_EQ(pipe2(ends.data(), O_CLOEXEC), 0);
  EXPECT_EQ(client.error_of(8, set_irqs(0x24, 2, 0, 1), files({ends[1]})),
            static_cast<uint32_t>(EINVAL));
  close(ends[0]);
  close(ends[1]);
}

TEST(VfioUserSession, ThePinIsMaskedUntilTheHostHasLooked) {
  TestClient client;
  const base::UniqueFd file = memory_file(0x4000);
  auto* const memory = static_cast<uint8_t*>(
      mmap(nullptr, 0x4000, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0));
  EXPECT_EQ(client.map(0, 0x4000, base::UniqueFd(dup(file.get()))), 0U);
  const int pin = event();
  EXPECT_EQ(client.error_of(8, set_irqs(0x24, 0, 0, 1), files({pin})), 0U);
  identify(
      client,
      [&](uint64_t at, const Bytes& bytes) {
        std::memcpy(memory + at, bytes.data(), bytes.size());
      },
      false);
  EXPECT_EQ(taken(pin), 1U);
  EXPECT_EQ(client.error_of(8, set_irqs(0x11, 0, 0, 1)), 0U);  // unmasked, and still up
  EXPECT_EQ(taken(pin), 1U);
  client.device.doorbells()[1] = 1;  // the entry is taken: it goes down
  EXPECT_EQ(client.error_of(8, set_irqs(0x11, 0, 0, 1)), 0U);
  EXPECT_EQ(taken(pin), 0U);
  munmap(memory, 0x4000);
  close(pin);
}

TEST(VfioUserSession, AResetKeepsMappingsVectorsAndConfiguration) {
  TestClient client;
  const base::UniqueFd file = memory_file(0x4000);
  EXPECT_EQ(client.map(0, 0x4000, base::UniqueFd(dup(file.get()))), 0U);
  const int vector = event();
  EXPECT_EQ(client.error_of(8, set_irqs(0x24, 2, 0, 1), files({vector})), 0U);
  client.write(kBar0, 0x24, 0x001F'001F, 4);
  client.write(kConfig, 0x10, 0xC000'0000, 4);
  EXPECT_EQ(client.error_of(13), 0U);
  EXPECT_EQ(client.read(kBar0, 0x24, 4), 0U);
  EXPECT_EQ(client.read(kConfig, 0x10, 4) & ~0xFU, 0xC000'0000U);
  auto* const memory = static_cast<uint8_t*>(
      mmap(nullptr, 0x4000, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0));
  identify(
      client,
      [&](uint64_t at, const Bytes& bytes) {
        std::memcpy(memory + at, bytes.data(), bytes.size());
      },
      false);
  EXPECT_EQ(taken(vector), 1U);
  munmap(memory, 0x4000);
  close(vector);
}

TEST(VfioUserSession, WhatIsNotOfferedIsRefused) {
  TestClient client;
  EXPECT_EQ(client.error_of(16, le({{0, 8}})), static_cast<uint32_t>(ENOTSUP));
  EXPECT_EQ(client.error_of(17), static_cast<uint32_t>(ENOTSUP));
  EXPECT_EQ(client.error_of(18), static_cast<uint32_t>(ENOTSUP));
  for (const uint16_t command : {0, 11, 12, 14, 19, 0xFFFF}) {
    EXPECT_EQ(client.error_of(command, Bytes(64)), static_cast<uint32_t>(EINVAL)) << command;
  }
  EXPECT_FALSE(client.over);
}

TEST(VfioUserSession, TheNextClientFindsAFunctionAsAfterPowerOn) {
  TestClient client;
  client.write(kBar0, 0x24, 0x001F'001F, 4);
  EXPECT_EQ(client.map(0, 0x4000, memory_file(0x4000)), 0U);
  client.session.reset();
  client.session.emplace(client.device, client.channel);
  client.ask(1, le({{0, 2}, {1, 2}}));
  EXPECT_EQ(client.read(kBar0, 0x24, 4), 0U);
  EXPECT_EQ(client.map(0, 0x4000, memory_file(0x4000)), 0U);
}

}  // namespace
}  // namespace pynvme::ssd::testing
