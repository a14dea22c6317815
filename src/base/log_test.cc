#include "base/log.h"

#include <thread>

#include <gtest/gtest.h>

namespace pynvme::base {
namespace {

TEST(Log, LinesComeOutInOrderOnce) {
  drain_log();
  log(LogLevel::kInfo, "queue %d", 1);
  log(LogLevel::kError, "cid %04x", 0xab);
  const auto lines = drain_log();
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0].text, "queue 1");
  EXPECT_EQ(lines[0].level, LogLevel::kInfo);
  EXPECT_EQ(lines[1].text, "cid 00ab");
  EXPECT_EQ(lines[1].level, LogLevel::kError);
  EXPECT_TRUE(drain_log().empty());
}

TEST(Log, SaysWhetherLinesWait) {
  drain_log();
  EXPECT_FALSE(log_waits());
  log(LogLevel::kInfo, "line");
  EXPECT_TRUE(log_waits());
  drain_log();
  EXPECT_FALSE(log_waits());
}

TEST(Log, WhatDidNotFitIsCounted) {
  drain_log();
  std::thread([] {
    for (int i = 0; i < 5000; ++i) log(LogLevel::kDebug, "%d", i);
  }).join();
  const auto lines = drain_log();
  ASSERT_EQ(lines.size(), 4097U);
  EXPECT_EQ(lines[0].text, "904 log lines were lost: nobody read them in time");
  EXPECT_EQ(lines[1].text, "904");
  EXPECT_EQ(lines.back().text, "4999");
}

}  // namespace
}  // namespace pynvme::base
