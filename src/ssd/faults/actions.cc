#include "ssd/faults/actions.h"

namespace pynvme::ssd {
namespace {

constexpr int64_t kMax = INT64_MAX;

constexpr FaultKey kFlipKeys[] = {
    {"bits", 1, 4096, false, "how many bits of the LBA, 1 when left out"},
    {"bit", 0, 32767, false,
     "the first of them, the others follow it; bit 0 is the lowest of byte 0. By chance when left "
     "out"},
};
constexpr FaultKey kMisdirectKeys[] = {
    {"to", -kMax, kMax, true,
     "the LBA where it goes, or how far from its own: +8, -8. The next ones, + the command's "
     "number of LBAs, when left out; past either end of the namespace it goes on at the other"},
};
constexpr FaultKey kOtherNamespaceKeys[] = {
    {"nsid", 1, 0xFFFF'FFFE, false, "which; the first other one when left out"},
};
constexpr FaultKey kTearKeys[] = {
    {"first", 0, 65536, false, "only the first LBAs are stored, so many"},
    {"last", 0, 65536, false, "only the last LBAs are stored, so many"},
    {"first_bytes", 0, 1LL << 28, false, "only the first bytes are stored, so many"},
    {"last_bytes", 0, 1LL << 28, false,
     "only the last bytes are stored, so many. The first half of the bytes when none of the four "
     "is given"},
};

using enum FaultAction;
constexpr FaultPoint kExecute = FaultPoint::kExecute;

constexpr FaultActionInfo kActions[] = {
    {kFlip, "flip", kExecute, FaultScope::kData, "", true, kFlipKeys,
     "bits of one LBA are flipped, one of those that the match names: in what a Read returns, in "
     "what a Write stores, or on the media"},
    {kZeroes,
     "zeroes",
     kExecute,
     FaultScope::kData,
     "",
     true,
     {},
     "the LBAs that the match names hold zeroes: in what a Read returns, in what a Write stores, "
     "or on the media"},
    {kDrop,
     "drop",
     kExecute,
     FaultScope::kAny,
     "write",
     false,
     {},
     "the command completes and is not carried out: a Write stores nothing"},
    {kMisdirect, "misdirect", kExecute, FaultScope::kData, "write", false, kMisdirectKeys,
     "a Write goes to other LBAs, a Read returns those of others"},
    {kOtherNamespace, "other_namespace", kExecute, FaultScope::kData, "read", false,
     kOtherNamespaceKeys,
     "a Read returns the same LBAs of another namespace, a Write goes there; of a namespace with "
     "the same format"},
    {kTear, "tear", kExecute, FaultScope::kWrite, "write", false, kTearKeys,
     "a Write stores a part of its data"},
    {kStale,
     "stale",
     kExecute,
     FaultScope::kRead,
     "read",
     false,
     {},
     "a Read returns the older version of the LBAs that the match names: what they held before "
     "they were last written. Matches LBAs that were overwritten since it was planted, the last "
     "4096 of them"},
};

constexpr FaultMatchKey kMatchKeys[] = {
    {"opcode", "a number, a name such as `read` or `get_log_page`, or several with + between them",
     "the commands; numbers are I/O opcodes unless `queue` is `admin` or 0. Left out: those in the "
     "table of actions"},
    {"queue", "`io`, `admin`, a submission queue identifier, or several with + between them",
     "the submission queue"},
    {"nsid", "a number", "the command's NSID"},
    {"cid", "a number", "its command identifier"},
    {"lba", "an LBA, or the first and the last as 8-15",
     "commands that touch one of these LBAs; those without LBAs do not match"},
    {"nth", "a number from 1 on", "only the n-th matching command: after=n-1, count=1"},
    {"after", "a number", "how many matching commands pass first"},
    {"count", "a number", "how often it fires at most; 0, or left out: no limit"},
    {"chance", "0 to 1", "the probability for each matching command"},
    {"seed", "a number", "of the chance, and of which bit is flipped; left out: from `srand()`"},
};

}  // namespace

std::span<const FaultActionInfo> fault_actions() { return kActions; }
std::span<const FaultMatchKey> fault_match_keys() { return kMatchKeys; }

}  // namespace pynvme::ssd
