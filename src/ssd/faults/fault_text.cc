#include "ssd/faults/fault_text.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <stdexcept>
#include <string>
#include <utility>

#include "spec/opcode.h"
#include "ssd/faults/actions.h"

namespace pynvme::ssd {
namespace {

using Text = std::string_view;

template <typename... Parts>
[[noreturn]] void refuse(const Parts&... parts) {
  std::string text;
  (text.append(parts), ...);
  throw std::invalid_argument(text);
}

std::optional<uint64_t> whole_number(Text text) {
  int base = 10;
  if (text.substr(0, 2) == "0x" || text.substr(0, 2) == "0X") {
    text.remove_prefix(2);
    base = 16;
  }
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

uint64_t number_in(Text what, Text key, Text value, uint64_t low, uint64_t high) {
  const auto number = whole_number(value);
  if (!number || *number < low || *number > high) {
    refuse(what, ": ", key, "=", value, ": give a whole number from ", std::to_string(low), " to ",
           std::to_string(high));
  }
  return *number;
}

template <typename Visit>
void for_each_part(Text text, char separator, Visit visit) {
  for (;;) {
    const size_t at = text.find(separator);
    visit(text.substr(0, at));
    if (at == Text::npos) return;
    text.remove_prefix(at + 1);
  }
}

// "Get Log Page" and "get_log_page" are the same.
std::string plain(Text name) {
  std::string out;
  for (const char c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0) {
      out.push_back(static_cast<char>(std::tolower(static_cast<unsigned char>(c))));
    }
  }
  return out;
}

// The opcode of a command's name; what several opcodes share is no name.
std::optional<uint8_t> opcode_named(Text name, const char* (*name_of)(uint8_t)) {
  std::string wanted = plain(name);
  if (wanted == "trim" || wanted == "dsm") wanted = "datasetmanagement";
  if (wanted == "aer") wanted = "asynchronouseventrequest";
  if (wanted.empty() || wanted == "reserved" || wanted == "vendorspecific") return std::nullopt;
  for (unsigned opcode = 0; opcode < 256; ++opcode) {
    if (plain(name_of(static_cast<uint8_t>(opcode))) == wanted) return static_cast<uint8_t>(opcode);
  }
  return std::nullopt;
}

// What a match says of opcodes and queues, before both are known.
struct Opcodes {
  std::bitset<256> io;
  std::bitset<256> admin;
  std::bitset<256> numbers;
  bool given = false;
};

void add_opcodes(Opcodes& opcodes, Text value) {
  for_each_part(value, '+', [&](Text one) {
    opcodes.given = true;
    if (const auto number = whole_number(one); number && *number < 256) {
      opcodes.numbers.set(*number);
    } else if (const auto io = opcode_named(one, spec::io_command_name)) {
      opcodes.io.set(*io);
    } else if (const auto admin = opcode_named(one, spec::admin_command_name)) {
      opcodes.admin.set(*admin);
    } else {
      refuse("match: opcode=", one,
             ": give a number from 0 to 255 or the name of a command, such as read or "
             "get_log_page");
    }
  });
}

struct QueueChoice {
  std::vector<uint16_t> ids;
  bool io = false;
  bool admin = false;
};

QueueChoice queues_of(Text value) {
  QueueChoice choice;
  for_each_part(value, '+', [&](Text one) {
    if (one == "io") {
      choice.io = true;
    } else if (one == "admin") {
      choice.admin = true;
    } else {
      const auto id = static_cast<uint16_t>(number_in("match", "queue", one, 0, 65535));
      (id == 0 ? choice.admin : choice.io) = true;
      if (id != 0) choice.ids.push_back(id);
    }
  });
  // "io" is all of them, whatever else is named; the admin queue is told by the opcodes.
  if (!choice.ids.empty() && choice.admin) choice.ids.push_back(0);
  return choice;
}

void set_lbas(FaultMatch& match, Text value) {
  const size_t dash = value.find('-');
  const auto first = whole_number(value.substr(0, dash));
  const auto last = dash == Text::npos ? first : whole_number(value.substr(dash + 1));
  if (!first || !last || *last < *first || *last == UINT64_MAX) {
    refuse("match: lba=", value, ": give an LBA, or the first and the last one as 8-15");
  }
  match.has_lbas = true;
  match.lba_begin = *first;
  match.lba_end = *last + 1;
}

void set_chance(FaultMatch& match, Text value) {
  const auto [end, error] =
      std::from_chars(value.data(), value.data() + value.size(), match.chance);
  if (error != std::errc() || end != value.data() + value.size() || !(match.chance >= 0) ||
      match.chance > 1) {
    refuse("match: chance=", value, ": give a probability from 0 to 1");
  }
}

// Key and value; the first part may be a word alone, the value of `word_key`.
template <typename Visit>
void for_each_item(Text what, Text text, Text word_key, Visit visit) {
  if (text.empty()) return;
  std::vector<Text> seen;
  bool first = true;
  for_each_part(text, ',', [&](Text item) {
    const size_t equals = item.find('=');
    const bool word = equals == Text::npos && first;
    first = false;
    const Text key = word ? word_key : item.substr(0, equals);
    if (!word && equals == Text::npos) refuse(what, ": ", item, ": give it as key=value");
    if (std::find(seen.begin(), seen.end(), key) != seen.end()) {
      refuse(what, ": ", key, " is given twice");
    }
    seen.push_back(key);
    visit(key, word ? item : item.substr(equals + 1));
  });
}

void set_match(Fault& fault, Text text, Opcodes& opcodes, std::optional<QueueChoice>& queues) {
  FaultMatch& match = fault.match;
  bool nth = false;
  bool counted = false;
  for_each_item("match", text, "opcode", [&](Text key, Text value) {
    const auto number = [&](uint64_t low, uint64_t high) {
      return number_in("match", key, value, low, high);
    };
    if (key == "opcode") {
      add_opcodes(opcodes, value);
    } else if (key == "queue") {
      queues = queues_of(value);
    } else if (key == "nsid") {
      match.nsid = static_cast<uint32_t>(number(0, UINT32_MAX));
    } else if (key == "cid") {
      match.cid = static_cast<uint16_t>(number(0, UINT16_MAX));
    } else if (key == "lba") {
      set_lbas(match, value);
    } else if (key == "nth") {
      nth = true;
      match.after = number(1, UINT64_MAX) - 1;
      match.count = 1;
    } else if (key == "after") {
      counted = true;
      match.after = number(0, UINT64_MAX);
    } else if (key == "count") {
      counted = true;
      match.count = number(0, UINT64_MAX);
    } else if (key == "chance") {
      set_chance(match, value);
    } else if (key == "seed") {
      match.seed = number(0, UINT64_MAX);
    } else {
      std::string known;
      for (const FaultMatchKey& one : fault_match_keys()) {
        known.append(known.empty() ? "" : ", ").append(one.name);
      }
      refuse("match: \"", key, "\" is no key of a match; the keys are ", known);
    }
  });
  if (nth && counted) refuse("match: nth is after and count in one: give it, or those");
}

const FaultActionInfo& find_action(Text name) {
  std::string known;
  for (const FaultActionInfo& info : fault_actions()) {
    if (info.name == name) return info;
    known.append(known.empty() ? "" : ", ").append(info.name);
  }
  refuse("action: \"", name, "\" is no action; the actions are ", known);
}

const FaultKey* find_key(const FaultActionInfo& info, Text key) {
  const auto found = std::find_if(info.keys.begin(), info.keys.end(),
                                  [&](const FaultKey& known) { return known.name == key; });
  return found == info.keys.end() ? nullptr : &*found;
}

FaultWhere where_of(Text value) {
  if (value == "read") return FaultWhere::kRead;
  if (value == "write") return FaultWhere::kWrite;
  if (value == "media") return FaultWhere::kMedia;
  refuse("action: where=", value, ": give read, write or media");
}

FaultNumber number_of(const FaultKey& key, Text value) {
  FaultNumber number;
  number.relative = value.starts_with('+') || value.starts_with('-');
  const bool negative = value.starts_with('-');
  const auto whole = whole_number(number.relative ? value.substr(1) : value);
  const bool fits = whole && *whole <= static_cast<uint64_t>(INT64_MAX);
  number.value = fits ? static_cast<int64_t>(*whole) * (negative ? -1 : 1) : 0;
  if (fits && number.relative && key.relative) return number;
  const int64_t low = std::max<int64_t>(key.low, 0);
  if (!fits || number.relative || number.value < low || number.value > key.high) {
    refuse("action: ", key.name, "=", value, ": give a whole number from ", std::to_string(low),
           " to ", std::to_string(key.high),
           key.relative ? ", or how far away it is, with its sign" : "");
  }
  return number;
}

// "flip:bits=2" is the same as "flip,bits=2".
const FaultActionInfo& set_action(Fault& fault, Text text, bool* where_given) {
  std::string list(text);
  if (const size_t colon = list.find(':'); colon != std::string::npos) list[colon] = ',';
  const FaultActionInfo* info = nullptr;
  for_each_item("action", list, "kind", [&](Text key, Text value) {
    if (info == nullptr) {
      if (key != "kind") refuse("action: its name comes first, as in flip:bits=2");
      info = &find_action(value);
    } else if (key == "where" && info->has_where) {
      fault.where = where_of(value);
      *where_given = true;
    } else if (const FaultKey* const known = find_key(*info, key)) {
      fault.numbers.emplace(key, number_of(*known, value));
    } else {
      std::string keys(info->has_where ? "where" : "");
      for (const FaultKey& one : info->keys) {
        keys.append(keys.empty() ? "" : ", ").append(one.name);
      }
      refuse("action: \"", key, "\" is no key of ", info->name, "; ",
             keys.empty() ? "it has none" : "its keys are " + keys);
    }
  });
  if (info == nullptr) refuse("action: give one, such as flip:bits=2");
  fault.action = info->action;
  fault.point = info->point;
  return *info;
}

void settle_opcodes(Fault& fault, const FaultActionInfo& info, Opcodes opcodes,
                    const std::optional<QueueChoice>& queues) {
  FaultMatch& match = fault.match;
  const bool admin = queues && queues->admin;
  const bool io = !queues || queues->io;
  if (queues && !queues->io && opcodes.io.any()) {
    refuse("match: the opcode is that of an I/O command, and the queue the admin queue");
  }
  if (queues && !queues->admin && opcodes.admin.any()) {
    refuse("match: the opcode is that of an admin command, and the queue an I/O queue");
  }
  if (admin) opcodes.admin |= opcodes.numbers;
  if (io) opcodes.io |= opcodes.numbers;
  if (!opcodes.given) {
    if (info.scope == FaultScope::kAny && (info.by_default.empty() || admin)) {
      if (io) opcodes.io.set();
      if (admin) opcodes.admin.set();
    } else {
      add_opcodes(opcodes, info.by_default);
    }
  }
  match.io = opcodes.io;
  match.admin = opcodes.admin;
  if (queues && !queues->ids.empty()) match.queues = queues->ids;
}

// Which of Read and Write it is, and that it is no other command.
void settle_scope(Fault& fault, const FaultActionInfo& info, bool where_given) {
  if (info.scope == FaultScope::kAny) return;
  if (info.scope == FaultScope::kSanitize) {
    std::bitset<256> sanitize;
    sanitize.set(spec::admin::kSanitize);
    if (fault.match.io.any() || fault.match.admin != sanitize) {
      refuse("match: the action ", info.name, " acts on Sanitize commands only");
    }
    return;
  }
  std::bitset<256> possible;
  const bool reads =
      info.scope == FaultScope::kRead ||
      (info.scope == FaultScope::kData && !(where_given && fault.where == FaultWhere::kWrite));
  const bool writes =
      info.scope == FaultScope::kWrite ||
      (info.scope == FaultScope::kData && !(where_given && fault.where == FaultWhere::kRead));
  possible[spec::io::kRead] = reads;
  possible[spec::io::kWrite] = writes;
  if (fault.match.admin.any() || (fault.match.io & ~possible).any()) {
    refuse("match: the action ", info.name, " acts on ", reads ? "Read" : "",
           reads && writes ? " and " : "", writes ? "Write" : "", " commands only",
           where_given ? ", with this `where`" : "");
  }
}

}  // namespace

Fault parse_fault(std::string_view match, std::string_view action) {
  Fault fault;
  fault.match_text = match;
  fault.action_text = action;
  Opcodes opcodes;
  std::optional<QueueChoice> queues;
  bool where_given = false;
  set_match(fault, match, opcodes, queues);
  const FaultActionInfo& info = set_action(fault, action, &where_given);
  if (info.has_where && !opcodes.given) {
    // Without a word about it: what a Read returns.
    add_opcodes(opcodes, fault.where == FaultWhere::kRead    ? "read"
                         : fault.where == FaultWhere::kWrite ? "write"
                                                             : "read+write");
  }
  settle_opcodes(fault, info, opcodes, queues);
  settle_scope(fault, info, where_given);
  if (info.has_where && !where_given && !fault.match.io[spec::io::kRead]) {
    fault.where = FaultWhere::kWrite;
  }
  if (info.action == FaultAction::kStatus && fault.value_or("execute", 1) == 0) {
    fault.point = FaultPoint::kExecute;
  }
  if (info.action == FaultAction::kDma && !fault.number("address")) {
    refuse("action: dma needs its address, as in dma:address=0x100000000");
  }
  if (info.action == FaultAction::kTear && fault.numbers.size() > 1) {
    refuse("action: first, last, first_bytes and last_bytes of tear: give one of them");
  }
  return fault;
}

}  // namespace pynvme::ssd
