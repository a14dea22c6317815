#include "base/json.h"

#include <string>

#include <gtest/gtest.h>

namespace pynvme::base {
namespace {

using Numbers = std::map<std::string, uint64_t, std::less<>>;

TEST(Json, NumbersAndFlagsByTheirPath) {
  EXPECT_EQ(json_numbers(R"({"capabilities": {"max_msg_fds": 16, "write_multiple":true,
                             "migration": {"pgsize": 4096}, "twin": false}})"),
            (Numbers{{"capabilities.max_msg_fds", 16},
                     {"capabilities.write_multiple", 1},
                     {"capabilities.migration.pgsize", 4096},
                     {"capabilities.twin", 0}}));
  EXPECT_EQ(json_numbers(" {} "), Numbers{});
}

TEST(Json, OtherTypesAreCheckedAndLeftOut) {
  EXPECT_EQ(json_numbers(R"({"a":"x\"y","b":[1,{"c":2},"}"],"d":null,"e":-1,"f":1.5,"g":7})"),
            (Numbers{{"[].c", 2}, {"[]", 1}, {"g", 7}}));
  EXPECT_EQ(json_numbers(R"({"a":18446744073709551616})"), Numbers{});
  EXPECT_EQ(json_numbers(R"({"a":18446744073709551615})"), (Numbers{{"a", UINT64_MAX}}));
}

TEST(Json, WhatIsNoJsonIsNothing) {
  for (const char* text : {"", "[]", "1", "{", "}", "{\"a\"}", "{\"a\":}", "{\"a\":1,}",
                           "{\"a\":1}x", "{\"a\":tru}", "{\"a\":\"}", "{a:1}", "{\"a\":[1}",
                           "{\"a\" 1}", "\"\\", "{\"\\", "{\"a\":--}", "{\"a\n\":1}"}) {
    EXPECT_FALSE(json_numbers(text)) << text;
  }
}

TEST(Json, DepthIsBounded) {
  std::string deep;
  for (int i = 0; i < 100000; ++i) deep += "{\"a\":";
  EXPECT_FALSE(json_numbers(deep));
  std::string brackets = "{\"a\":" + std::string(100000, '[');
  EXPECT_FALSE(json_numbers(brackets));
}

}  // namespace
}  // namespace pynvme::base
