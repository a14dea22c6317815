// A recursive descent over RFC 8259, bounded in depth.
#include "base/json.h"

#include <charconv>
#include <system_error>

namespace pynvme::base {
namespace {

constexpr int kDepthMax = 16;

class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  bool document(std::map<std::string, uint64_t, std::less<>>& found) {
    found_ = &found;
    skip_space();
    if (!object("", 0)) return false;
    skip_space();
    return rest_.empty();
  }

 private:
  void skip_space() {
    const auto end = rest_.find_first_not_of(" \t\r\n");
    rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end);
  }
  bool take(char c) {
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  bool literal(std::string_view word) {
    if (!rest_.starts_with(word)) return false;
    rest_.remove_prefix(word.size());
    return true;
  }

  // Escapes stay as they are written: no key that matters has one.
  bool string(std::string* value) {
    if (!take('"')) return false;
    size_t end = 0;
    for (; end < rest_.size() && rest_[end] != '"'; ++end) {
      if (static_cast<unsigned char>(rest_[end]) < 0x20) return false;
      if (rest_[end] == '\\') ++end;
    }
    if (end >= rest_.size()) return false;
    if (value != nullptr) *value = rest_.substr(0, end);
    rest_.remove_prefix(end + 1);
    return true;
  }

  bool number(const std::string& path) {
    const auto end = rest_.find_first_not_of("+-.0123456789eE");
    const std::string_view text = rest_.substr(0, end);
    if (text.find_first_of("0123456789") == std::string_view::npos) return false;
    rest_.remove_prefix(text.size());
    uint64_t value = 0;
    const char* const last = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), last, value);
    if (error == std::errc() && stop == last) (*found_)[path] = value;
    return true;
  }

  bool object(const std::string& path, int depth) {
    if (depth >= kDepthMax || !take('{')) return false;
    skip_space();
    if (take('}')) return true;
    do {
      skip_space();
      std::string key;
      if (!string(&key)) return false;
      skip_space();
      if (!take(':')) return false;
      if (!value(path.empty() ? key : path + "." + key, depth + 1)) return false;
      skip_space();
    } while (take(','));
    return take('}');
  }

  bool array(int depth) {
    if (depth >= kDepthMax || !take('[')) return false;
    skip_space();
    if (take(']')) return true;
    do {
      // What is in arrays has no name, and is not looked for.
      if (!value("[]", depth + 1)) return false;
      skip_space();
    } while (take(','));
    return take(']');
  }

  bool value(const std::string& path, int depth) {
    skip_space();
    if (rest_.empty()) return false;
    switch (rest_.front()) {
      case '{':
        return object(path, depth);
      case '[':
        return array(depth);
      case '"':
        return string(nullptr);
      case 't':
        if (!literal("true")) return false;
        (*found_)[path] = 1;
        return true;
      case 'f':
        if (!literal("false")) return false;
        (*found_)[path] = 0;
        return true;
      case 'n':
        return literal("null");
      default:
        return number(path);
    }
  }

  std::string_view rest_;
  std::map<std::string, uint64_t, std::less<>>* found_ = nullptr;
};

}  // namespace

std::optional<std::map<std::string, uint64_t, std::less<>>> json_numbers(std::string_view text) {
  std::map<std::string, uint64_t, std::less<>> found;
  if (!Reader(text).document(found)) return std::nullopt;
  return found;
}

}  // namespace pynvme::base
