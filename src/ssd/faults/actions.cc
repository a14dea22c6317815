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

constexpr FaultKey kDmaKeys[] = {
    {"address", 0, kMax, false,
     "where the data go or come from: the `phys_addr` of a Buffer that has room for them. Where "
     "nothing is mapped data are lost, and read as all ones"},
};
constexpr FaultKey kDelayKeys[] = {
    {"us", 1, 1'000'000'000, false, "how many microseconds, 1000 when left out"},
};
constexpr FaultKey kDuplicateKeys[] = {
    {"times", 1, 1000, false, "how many more, 1 when left out"},
};
constexpr FaultKey kMistagKeys[] = {
    {"cid", 0, 65535, true, "command identifier, or how far from the right one: +1, -1"},
    {"sqid", 0, 65535, true, "submission queue identifier, the same way"},
    {"sqhd", 0, 65535, true,
     "SQ head pointer, the same way. Without any of the three bit 15 of the CID is inverted"},
};
constexpr FaultKey kStatusKeys[] = {
    {"sct", 0, 7, false, "Status Code Type, 0 when left out"},
    {"sc", 0, 255, false, "Status Code, 6 (Internal Error) when left out"},
    {"dnr", 0, 1, false, "Do Not Retry"},
    {"more", 0, 1, false, "More"},
    {"execute", 0, 1, false,
     "whether the command is carried out all the same, 1 when left out. With 0 the error is in the "
     "Error Information log"},
};

using enum FaultAction;
constexpr FaultPoint kExecute = FaultPoint::kExecute;
constexpr FaultPoint kComplete = FaultPoint::kComplete;

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
     "they were last written. Only LBAs that were overwritten since it was planted have one, the "
     "last 64 MiB of them; it waits for a Read of such LBAs"},
    {kDma, "dma", kExecute, FaultScope::kData, "read", false, kDmaKeys,
     "the data of a Read go to another place in the host's memory, those of a Write come from "
     "there"},
    {kDelay, "delay", kComplete, FaultScope::kAny, "", false, kDelayKeys,
     "the completion comes later"},
    {kSwallow,
     "swallow",
     kComplete,
     FaultScope::kAny,
     "",
     false,
     {},
     "the command is carried out and never completes"},
    {kDuplicate, "duplicate", kComplete, FaultScope::kAny, "", false, kDuplicateKeys,
     "the completion is posted more than once"},
    {kMistag, "mistag", kComplete, FaultScope::kAny, "", false, kMistagKeys,
     "the completion names another command, queue or head"},
    {kStatus, "status", kComplete, FaultScope::kAny, "", false, kStatusKeys,
     "the completion has this status"},
    {kPhase,
     "phase",
     kComplete,
     FaultScope::kAny,
     "",
     false,
     {},
     "the completion is posted with the phase bit not toggled: a host does not see it, nor those "
     "that follow"},
    {kStaleCompletion,
     "stale_completion",
     kComplete,
     FaultScope::kAny,
     "",
     false,
     {},
     "instead of the completion the entry that was there in the round before, zeroes in the first "
     "one, appears as a new one"},
    {kFatal,
     "fatal",
     kComplete,
     FaultScope::kAny,
     "",
     false,
     {},
     "the controller stops with CSTS.CFS set, before it completes the command, until it is reset"},
    {kVanish,
     "vanish",
     kComplete,
     FaultScope::kAny,
     "",
     false,
     {},
     "the device is gone from the bus before it completes the command: everything reads as all "
     "ones, until its power is cut or the fault is cleared"},
    {kFailSanitize,
     "fail_sanitize",
     kExecute,
     FaultScope::kSanitize,
     "sanitize",
     false,
     {},
     "the sanitize operation that the command starts ends in failure"},
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
