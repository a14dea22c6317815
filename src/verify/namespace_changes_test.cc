#include "verify/namespace_changes.h"

#include <gtest/gtest.h>

#include "spec/opcode.h"

namespace pynvme::verify {
namespace {

NamespaceChange change_of(uint8_t opcode, uint32_t nsid, uint32_t cdw10 = 0, uint8_t fna = 0) {
  spec::Sqe sqe{};
  sqe.opcode = opcode;
  sqe.nsid = nsid;
  sqe.cdw10 = cdw10;
  return classify_admin(sqe, fna);
}

TEST(NamespaceChanges, CommandsThatChangeNamespaces) {
  EXPECT_TRUE(change_of(0x80, 2).erases);
  EXPECT_EQ(change_of(0x80, 2).nsid, 2U);
  EXPECT_EQ(change_of(0x80, 2, 0, 1).nsid, 0xFFFFFFFF) << "FNA: a format is of all";
  EXPECT_EQ(change_of(0x80, 2, 0, 2).nsid, 2U);
  EXPECT_EQ(change_of(0x80, 2, 1 << 9, 2).nsid, 0xFFFFFFFF) << "FNA: a secure erase is of all";
  EXPECT_EQ(change_of(0x84, 0).nsid, 0xFFFFFFFF);
  EXPECT_FALSE(change_of(0x0D, 0, 0).any) << "a new namespace is not known yet";
  EXPECT_TRUE(change_of(0x0D, 3, 1).erases);
  EXPECT_TRUE(change_of(0x15, 3, 1).any);
  EXPECT_FALSE(change_of(0x15, 3, 1).erases) << "what is detached is kept";
  EXPECT_FALSE(change_of(0x06, 1).any);
}

TEST(NamespaceChanges, TheWriteCacheIsOffWhenTheFeatureSaysSo) {
  NamespaceChanges changes;
  EXPECT_FALSE(changes.write_through()->load());
  spec::Sqe sqe{};
  sqe.opcode = 0x09;
  sqe.cdw10 = 0x8000'0006;  // with SV
  changes.note(classify_admin(sqe, 0));
  EXPECT_TRUE(changes.write_through()->load());
  EXPECT_EQ(changes.count(), 0U) << "no format changes";
  sqe.cdw11 = 1;
  changes.note(classify_admin(sqe, 0));
  EXPECT_FALSE(changes.write_through()->load());
  sqe.cdw10 = 7;
  sqe.cdw11 = 0;
  changes.note(classify_admin(sqe, 0));
  EXPECT_FALSE(changes.write_through()->load());
  changes.set_cache_present(false);
  EXPECT_TRUE(changes.write_through()->load());
}

TEST(NamespaceChanges, CountsByNamespace) {
  NamespaceChanges changes;
  changes.note({});
  EXPECT_EQ(changes.count(), 0U);
  changes.note({true, true, 1});
  changes.note({true, false, 2});
  EXPECT_EQ(changes.count(), 2U);
  EXPECT_EQ(changes.erasures(1), 1U);
  EXPECT_EQ(changes.erasures(2), 0U);
  changes.note({true, true, 0xFFFFFFFF});
  EXPECT_EQ(changes.erasures(1), 2U);
  EXPECT_EQ(changes.erasures(2), 1U);
}

}  // namespace
}  // namespace pynvme::verify
