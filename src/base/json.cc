#include "sortie/base/json.h"

#include "sortie/base/text.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include <boost/json/stream_parser.hpp>
#include <fmt/format.h>

namespace sortie::json {

namespace {

constexpr double kExactIntegerMax = 9007199254740992.0;  // 2^53

/// Of an object's members.
enum class Order : std::uint8_t { stored, by_name };

void append_value(std::string& out, const Value& value, Order order);

void append_member(std::string& out, const boost::json::key_value_pair& member, Order order) {
  if (out.back() != '{') {
    out.push_back(',');
  }
  append_quoted(out, member.key());
  out.push_back(':');
  append_value(out, member.value(), order);
}

void append_object(std::string& out, const Object& object, Order order) {
  out.push_back('{');
  if (order == Order::stored) {
    for (const auto& member : object) {
      append_member(out, member, order);
    }
  } else {
    std::vector<const boost::json::key_value_pair*> members;
    members.reserve(object.size());
    for (const auto& member : object) {
      members.push_back(&member);
    }
    std::ranges::sort(
        members, {}, [](const auto* member) { return std::string_view(member->key()); });
    for (const auto* member : members) {
      append_member(out, *member, order);
    }
  }
  out.push_back('}');
}

void append_value(std::string& out, const Value& value, Order order) {
  switch (value.kind()) {
    case boost::json::kind::null:
      out += "null";
      return;
    case boost::json::kind::bool_:
      out += value.get_bool() ? "true" : "false";
      return;
    case boost::json::kind::int64:
      out += std::to_string(value.get_int64());
      return;
    case boost::json::kind::uint64:
      out += std::to_string(value.get_uint64());
      return;
    case boost::json::kind::double_:
      out += number_text(value.get_double());
      return;
    case boost::json::kind::string:
      append_quoted(out, view(value.get_string()));
      return;
    case boost::json::kind::object:
      append_object(out, value.get_object(), order);
      return;
    case boost::json::kind::array:
      break;
  }
  out.push_back('[');
  for (const Value& item : value.get_array()) {
    if (out.back() != '[') {
      out.push_back(',');
    }
    append_value(out, item, order);
  }
  out.push_back(']');
}

void append_pretty(std::string& out, const Value& value, std::size_t indent) {
  const bool object = value.is_object() && !value.get_object().empty();
  const bool array = value.is_array() && !value.get_array().empty();
  if (!object && !array) {
    append_text(out, value);
    return;
  }
  const std::string inner(indent + 2, ' ');
  out += object ? "{" : "[";
  bool first = true;
  const auto separate = [&] {
    out += first ? "\n" : ",\n";
    out += inner;
    first = false;
  };
  if (object) {
    for (const auto& member : value.get_object()) {
      separate();
      append_quoted(out, member.key());
      out += ": ";
      append_pretty(out, member.value(), indent + 2);
    }
  } else {
    for (const Value& item : value.get_array()) {
      separate();
      append_pretty(out, item, indent + 2);
    }
  }
  out += "\n";
  out.append(indent, ' ');
  out += object ? "}" : "]";
}

// Longest escape of one byte: "\\u001f".
constexpr std::size_t kEscapedMax = 6;
// Bytes that are quoted between two looks at the capacity of the output.
constexpr std::size_t kQuoteChunk = 128;

/// What has to be done with a byte inside a JSON string: nothing (0), a short escape (its letter),
/// a numeric escape ('u'), or a look at the whole UTF-8 sequence ('8').
constexpr std::array<char, 256> kQuoteActions = [] {
  std::array<char, 256> actions{};
  for (std::size_t i = 0; i < 0x20; ++i) {
    actions[i] = 'u';
  }
  for (std::size_t i = 0x80; i < actions.size(); ++i) {
    actions[i] = '8';
  }
  actions['"'] = '"';
  actions['\\'] = '\\';
  actions['\n'] = 'n';
  actions['\r'] = 'r';
  actions['\t'] = 't';
  return actions;
}();

/// How many of eight bytes, from the first on, need nothing: all in 0x20…0x7f, no quote, no
/// backslash.
std::size_t plain_bytes(std::uint64_t eight) {
  static_assert(std::endian::native == std::endian::little, "the first byte is the lowest");
  constexpr std::uint64_t kOnes = 0x0101010101010101;
  constexpr std::uint64_t kHigh = 0x8080808080808080;
  // (x − n·ones) & ~x & high marks bytes below n, "below 1" after an exclusive or the equal ones. A
  // borrow marks only bytes above a true one, so that the lowest mark is always right.
  const std::uint64_t quotes = eight ^ (kOnes * '"');
  const std::uint64_t backslashes = eight ^ (kOnes * '\\');
  const std::uint64_t low = (eight - kOnes * 0x20) & ~eight;
  const std::uint64_t equal = ((quotes - kOnes) & ~quotes) | ((backslashes - kOnes) & ~backslashes);
  return static_cast<std::size_t>(std::countr_zero((low | equal | eight) & kHigh)) / 8;
}

using Block = signed char __attribute__((vector_size(16)));

/// Do all bytes of a block need nothing?
bool is_plain(Block block) {
  // Bytes from 0x80 on are negative here, and so below a space.
  const auto special = (block < ' ') | (block == '"') | (block == '\\');
  std::array<std::uint64_t, 2> halves{};
  std::memcpy(halves.data(), &special, sizeof(halves));
  return (halves[0] | halves[1]) == 0;
}

/// Writes one byte that is not plain, or the UTF-8 sequence that starts with it, at `to`. Returns
/// the bytes of `text` that were read.
std::size_t escape_one(std::string_view text, char action, char*& to) {
  constexpr std::string_view kHex = "0123456789abcdef";
  if (action == '8') {
    const std::size_t length = base::utf8_sequence_length(text);
    const std::string_view written = length > 0 ? text.substr(0, length) : "\xEF\xBF\xBD";
    to = std::copy(written.begin(), written.end(), to);
    return std::max<std::size_t>(length, 1);
  }
  *to++ = '\\';
  *to++ = action;
  if (action == 'u') {
    const auto byte = static_cast<unsigned char>(text.front());
    *to++ = '0';
    *to++ = '0';
    *to++ = kHex[byte >> 4U];
    *to++ = kHex[byte & 15U];
  }
  return 1;
}

/// Escapes at least `chunk` bytes of `text` at `to`, and the rest of a sequence that a chunk would
/// cut. Returns the bytes that were read.
std::size_t escape_chunk(std::string_view text, std::size_t chunk, char*& to) {
  std::size_t i = 0;
  while (i < chunk) {
    Block block;
    while (i + sizeof(block) <= chunk) {
      std::memcpy(&block, text.data() + i, sizeof(block));
      if (!is_plain(block)) {
        break;
      }
      std::memcpy(to, &block, sizeof(block));
      to += sizeof(block);
      i += sizeof(block);
    }
    if (i == chunk) {
      break;
    }
    std::uint64_t eight = 0;
    if (i + sizeof(eight) <= chunk) {
      // All eight are copied, as there is room; those after the plain ones are overwritten.
      std::memcpy(&eight, text.data() + i, sizeof(eight));
      std::memcpy(to, &eight, sizeof(eight));
      const std::size_t plain = plain_bytes(eight);
      to += plain;
      i += plain;
      if (plain == sizeof(eight)) {
        continue;
      }
    }
    const char action = kQuoteActions[static_cast<unsigned char>(text[i])];
    if (action == 0) {
      *to++ = text[i++];
    } else {
      i += escape_one(text.substr(i), action, to);
    }
  }
  return i;
}

}  // namespace

base::Result<Value> parse(std::string_view text, ParseLimits limits) {
  if (text.size() > limits.bytes_max) {
    return base::bad_input(fmt::format(
        "JSON of {} bytes is larger than the limit of {}", text.size(), limits.bytes_max));
  }
  boost::json::parse_options options;
  options.max_depth = limits.depth_max;
  boost::json::error_code error;
  boost::json::stream_parser parser({}, options);
  const std::size_t read = parser.write_some(text.data(), text.size(), error);
  if (!error && read < text.size() &&
      text.substr(read).find_first_not_of(" \t\r\n") != std::string_view::npos) {
    error = boost::json::error::extra_data;
  }
  if (!error) {
    parser.finish(error);
  }
  if (error) {
    return base::bad_input(fmt::format("not valid JSON at byte {}: {}", read, error.message()));
  }
  return parser.release();
}

std::string to_text(const Value& value) {
  std::string out;
  append_text(out, value);
  return out;
}

void append_text(std::string& out, const Value& value) {
  append_value(out, value, Order::stored);
}

std::string to_pretty_text(const Value& value) {
  std::string out;
  append_pretty(out, value, 0);
  out.push_back('\n');
  return out;
}

std::string canonical(const Value& value) {
  std::string out;
  append_value(out, value, Order::by_name);
  return out;
}

std::string number_text(double value) {
  if (!std::isfinite(value)) {
    return "null";
  }
  if (value == std::trunc(value) && std::abs(value) <= kExactIntegerMax) {
    return std::to_string(static_cast<std::int64_t>(value));
  }
  std::array<char, 32> buffer{};
  const auto [end, error] = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
  return {buffer.data(), end};
}

void append_quoted(std::string& out, std::string_view text) {
  out.push_back('"');
  while (!text.empty()) {
    // Room for the worst case of a chunk, so that the loop inside writes without asking.
    const std::size_t chunk = std::min(text.size(), kQuoteChunk);
    const std::size_t old_size = out.size();
    std::size_t used = 0;
    out.resize_and_overwrite(old_size + kEscapedMax * chunk, [&](char* data, std::size_t) {
      char* to = data + old_size;
      used = escape_chunk(text, chunk, to);
      return static_cast<std::size_t>(to - data);
    });
    text.remove_prefix(used);
  }
  out.push_back('"');
}

const Value* find(const Value& value, std::string_view name) {
  const Object* object = value.if_object();
  return object == nullptr ? nullptr : object->if_contains(name);
}

std::optional<std::string_view> get_string(const Value& value, std::string_view name) {
  const Value* member = find(value, name);
  if (member == nullptr || !member->is_string()) {
    return std::nullopt;
  }
  return view(member->get_string());
}

std::optional<std::int64_t> get_int(const Value& value, std::string_view name) {
  const Value* member = find(value, name);
  if (member == nullptr) {
    return std::nullopt;
  }
  if (member->is_int64()) {
    return member->get_int64();
  }
  if (member->is_double() && member->get_double() == std::trunc(member->get_double()) &&
      std::abs(member->get_double()) <= kExactIntegerMax) {
    return static_cast<std::int64_t>(member->get_double());
  }
  return std::nullopt;
}

std::optional<double> get_double(const Value& value, std::string_view name) {
  const Value* member = find(value, name);
  return member == nullptr ? std::nullopt : as_number(*member);
}

std::optional<bool> get_bool(const Value& value, std::string_view name) {
  const Value* member = find(value, name);
  if (member == nullptr || !member->is_bool()) {
    return std::nullopt;
  }
  return member->get_bool();
}

const Object* get_object(const Value& value, std::string_view name) {
  const Value* member = find(value, name);
  return member == nullptr ? nullptr : member->if_object();
}

const Array* get_array(const Value& value, std::string_view name) {
  const Value* member = find(value, name);
  return member == nullptr ? nullptr : member->if_array();
}

std::optional<double> as_number(const Value& value) {
  if (value.is_int64()) {
    return static_cast<double>(value.get_int64());
  }
  if (value.is_uint64()) {
    return static_cast<double>(value.get_uint64());
  }
  if (value.is_double()) {
    return value.get_double();
  }
  return std::nullopt;
}

}  // namespace sortie::json
