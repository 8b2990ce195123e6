#include "sortie/dialogue/lenient_json.h"

#include "sortie/base/text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <system_error>
#include <utility>

namespace sortie::dialogue {

namespace {

constexpr std::size_t kDepthMax = 64;
constexpr std::string_view kSpace = " \t\r\n\f\v";

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_name_start(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

bool is_name_part(char c) {
  return is_name_start(c) || is_digit(c) || c == '.' || c == '-';
}

struct Quotes {
  std::string_view open;
  std::string_view close;
};

constexpr std::array<Quotes, 3> kTypographic = {{{"“", "”"}, {"‘", "’"}, {"＂", "＂"}}};

const Quotes* typographic_quotes(std::string_view text) {
  const auto* found = std::ranges::find_if(
      kTypographic, [&](const Quotes& quotes) { return text.starts_with(quotes.open); });
  return found == kTypographic.end() ? nullptr : found;
}

constexpr std::string_view kEscapedQuote = "\\\"";

void append_utf8(std::string& out, unsigned code) {
  const auto byte = [&](unsigned bits) { out.push_back(static_cast<char>(bits)); };
  if (code < 0x80) {
    byte(code);
  } else if (code < 0x800) {
    byte(0xC0U | (code >> 6U));
    byte(0x80U | (code & 0x3FU));
  } else if (code < 0x10000) {
    byte(0xE0U | (code >> 12U));
    byte(0x80U | ((code >> 6U) & 0x3FU));
    byte(0x80U | (code & 0x3FU));
  } else {
    byte(0xF0U | (code >> 18U));
    byte(0x80U | ((code >> 12U) & 0x3FU));
    byte(0x80U | ((code >> 6U) & 0x3FU));
    byte(0x80U | (code & 0x3FU));
  }
}

/// The character that a one-letter escape means; '\0' for none.
char simple_escape(char letter) {
  switch (letter) {
    case 'n':
      return '\n';
    case 't':
      return '\t';
    case 'r':
      return '\r';
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    case '"':
    case '\'':
    case '\\':
    case '/':
      return letter;
    default:
      return '\0';
  }
}

/// Length of the number that `text` starts with by JSON's grammar, 0 for none.
std::size_t number_length(std::string_view text) {
  std::size_t at = 0;
  const auto digits = [&] {
    const std::size_t begin = at;
    while (at < text.size() && is_digit(text[at])) {
      ++at;
    }
    return at - begin;
  };
  if (at < text.size() && text[at] == '-') {
    ++at;
  }
  const std::size_t first = at;
  const std::size_t integral = digits();
  if (integral == 0 || (integral > 1 && text[first] == '0')) {
    return 0;
  }
  if (at < text.size() && text[at] == '.') {
    ++at;
    if (digits() == 0) {
      return 0;
    }
  }
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (at < text.size() && (text[at] == '+' || text[at] == '-')) {
      ++at;
    }
    if (digits() == 0) {
      return 0;
    }
  }
  return at;
}

constexpr std::array<std::string_view, 16> kOddSpaces = {
    "\xEF\xBB\xBF",  // byte order mark
    "\xC2\xA0",      // no-break space
    "\xE3\x80\x80",  // fullwidth space
    "\xE2\x80\x8B",
    "\xE2\x80\x8C",
    "\xE2\x80\x8D",  // zero width
    "\xE2\x80\x8E",
    "\xE2\x80\x8F",  // direction marks
    "\xE2\x80\xAA",
    "\xE2\x80\xAB",
    "\xE2\x80\xAC",
    "\xE2\x80\xAD",  // embeddings
    "\xE2\x80\xAE",
    "\xE2\x81\xA6",
    "\xE2\x81\xA7",
    "\xE2\x81\xA9",  // overrides, isolates
};

}  // namespace

std::size_t odd_space_length(std::string_view text) {
  const auto* found =
      std::ranges::find_if(kOddSpaces, [&](std::string_view one) { return text.starts_with(one); });
  return found == kOddSpaces.end() ? 0 : found->size();
}

std::string_view trim_space(std::string_view text, Repairs& repairs) {
  text = base::trim(text);
  while (const std::size_t length = odd_space_length(text)) {
    repairs.add(Repair::odd_space);
    text = base::trim(text.substr(length));
  }
  const auto ends = [&](std::string_view one) { return text.ends_with(one); };
  for (const auto* found = std::ranges::find_if(kOddSpaces, ends); found != kOddSpaces.end();
       found = std::ranges::find_if(kOddSpaces, ends)) {
    repairs.add(Repair::odd_space);
    text = base::trim(text.substr(0, text.size() - found->size()));
  }
  return text;
}

void LenientReader::skip_space() {
  while (true) {
    at_ = std::min(text_.find_first_not_of(kSpace, at_), text_.size());
    const std::size_t odd = odd_space_length(rest());
    if (odd == 0) {
      return;
    }
    repairs_->add(Repair::odd_space);
    at_ += odd;
  }
}

/// A mark of punctuation or its fullwidth form.
bool LenientReader::consume_mark(std::string_view usual, std::string_view fullwidth) {
  if (consume(usual)) {
    return true;
  }
  if (!consume(fullwidth)) {
    return false;
  }
  repairs_->add(Repair::fullwidth_marks);
  return true;
}

bool LenientReader::consume(std::string_view expected) {
  if (!rest().starts_with(expected)) {
    return false;
  }
  at_ += expected.size();
  return true;
}

std::string_view LenientReader::identifier() {
  if (!is_name_start(peek())) {
    return {};
  }
  const std::size_t begin = at_;
  while (!at_end() && is_name_part(text_[at_])) {
    ++at_;
  }
  return text_.substr(begin, at_ - begin);
}

std::optional<json::Value> LenientReader::value() {
  return value_at(0);
}

std::optional<json::Object> LenientReader::object() {
  skip_space();
  if (peek() != '{') {
    return std::nullopt;
  }
  auto read = object_at(0);
  return read ? std::optional(std::move(read->as_object())) : std::nullopt;
}

std::optional<json::Value> LenientReader::value_at(std::size_t depth) {
  skip_space();
  switch (peek()) {
    case '{':
      return object_at(depth);
    case '[':
      return array_at(depth);
    default:
      if (at_string()) {
        auto read = string();
        return read ? std::optional<json::Value>(std::in_place, std::string_view(*read))
                    : std::nullopt;
      }
      return is_name_start(peek()) ? literal() : number();
  }
}

/// After a member or element: true when another may follow or the bracket closed.
bool LenientReader::separator(char close, bool& closed) {
  skip_space();
  closed = false;
  if (consume_mark(",", "，")) {
    skip_space();
    if (peek() == close) {
      repairs_->add(Repair::trailing_comma);
      ++at_;
      closed = true;
    }
    return true;
  }
  if (peek() == close) {
    ++at_;
    closed = true;
    return true;
  }
  closed = ended_early();
  return closed;
}

bool LenientReader::ended_early() {
  if (!options_.end_closes || (!at_end() && peek() != '<')) {
    return false;
  }
  repairs_->add(Repair::missing_bracket);
  return true;
}

std::optional<json::Value> LenientReader::object_at(std::size_t depth) {
  if (depth >= kDepthMax) {
    return std::nullopt;
  }
  ++at_;
  json::Object object;
  skip_space();
  if (consume("}")) {
    return json::Value(std::move(object));
  }
  bool closed = false;
  while (!closed) {
    skip_space();
    const auto name = key();
    if (!name) {
      return std::nullopt;
    }
    skip_space();
    if (!consume_mark(":", "：")) {
      return std::nullopt;
    }
    auto member = value_at(depth + 1);
    if (!member) {
      return std::nullopt;
    }
    object.insert_or_assign(*name, *std::move(member));
    if (!separator('}', closed)) {
      return std::nullopt;
    }
  }
  return json::Value(std::move(object));
}

std::optional<json::Value> LenientReader::array_at(std::size_t depth) {
  if (depth >= kDepthMax) {
    return std::nullopt;
  }
  ++at_;
  json::Array array;
  skip_space();
  if (consume("]")) {
    return json::Value(std::move(array));
  }
  bool closed = false;
  while (!closed) {
    auto element = value_at(depth + 1);
    if (!element) {
      return std::nullopt;
    }
    array.push_back(*std::move(element));
    if (!separator(']', closed)) {
      return std::nullopt;
    }
  }
  return json::Value(std::move(array));
}

std::optional<std::string> LenientReader::key() {
  if (at_string()) {
    return string();
  }
  const std::string_view name = identifier();
  if (name.empty()) {
    return std::nullopt;
  }
  repairs_->add(Repair::unquoted_key);
  return std::string(name);
}

bool LenientReader::at_string() const {
  return peek() == '"' || peek() == '\'' || rest().starts_with(kEscapedQuote) ||
         typographic_quotes(rest()) != nullptr;
}

std::optional<std::string> LenientReader::checked(std::string_view text) {
  std::string valid = base::valid_utf8(text);
  if (valid != text) {
    repairs_->add(Repair::invalid_utf8);
  }
  return valid;
}

/// \"text\": all quotes of the call are escaped, as if it stood inside a string. A text with
/// further escapes has two readings.
std::optional<std::string> LenientReader::escaped_string() {
  consume(kEscapedQuote);
  const std::size_t stop = text_.find_first_of("\"\\\n", at_);
  if (stop == std::string_view::npos || !text_.substr(stop).starts_with(kEscapedQuote)) {
    at_ = std::min(stop, text_.size());
    return std::nullopt;
  }
  repairs_->add(Repair::escaped_quotes);
  std::string out(text_.substr(at_, stop - at_));
  at_ = stop + kEscapedQuote.size();
  return checked(out);
}

/// “text”, taken as it stands.
std::optional<std::string> LenientReader::typographic_string() {
  const Quotes* quotes = typographic_quotes(rest());
  consume(quotes->open);
  const std::size_t stop = text_.find(quotes->close, at_);
  if (stop == std::string_view::npos) {
    at_ = text_.size();
    return std::nullopt;
  }
  std::string out(text_.substr(at_, stop - at_));
  at_ = stop + quotes->close.size();
  if (out.find_first_of("\\\n") != std::string::npos) {
    return std::nullopt;
  }
  repairs_->add(Repair::fullwidth_marks);
  return checked(out);
}

std::optional<std::string> LenientReader::string() {
  const char quote = peek();
  if (rest().starts_with(kEscapedQuote)) {
    return escaped_string();
  }
  if (typographic_quotes(rest()) != nullptr) {
    return typographic_string();
  }
  if (quote != '"' && quote != '\'') {
    return std::nullopt;
  }
  if (quote == '\'') {
    repairs_->add(Repair::single_quotes);
  }
  ++at_;
  const std::array<char, 2> stops = {quote, '\\'};
  std::string out;
  while (true) {
    const std::size_t stop = text_.find_first_of({stops.data(), stops.size()}, at_);
    if (stop == std::string_view::npos) {
      at_ = text_.size();
      return std::nullopt;
    }
    const std::string_view plain = text_.substr(at_, stop - at_);
    if (std::ranges::any_of(plain, [](char c) { return static_cast<unsigned char>(c) < 0x20; })) {
      repairs_->add(Repair::raw_control);
    }
    out.append(plain);
    at_ = stop + 1;
    if (text_[stop] == quote) {
      break;
    }
    if (!escape(out)) {
      return std::nullopt;
    }
  }
  return checked(out);
}

std::optional<unsigned> LenientReader::hex4() {
  if (text_.size() - at_ < 4) {
    return std::nullopt;
  }
  unsigned code = 0;
  const char* begin = text_.data() + at_;
  const auto [end, error] = std::from_chars(begin, begin + 4, code, 16);
  if (error != std::errc() || end != begin + 4) {
    return std::nullopt;
  }
  at_ += 4;
  return code;
}

/// The escape after a backslash. False at the end of the text.
bool LenientReader::escape(std::string& out) {
  constexpr unsigned kReplacement = 0xFFFD;
  if (at_end()) {
    return false;
  }
  const char letter = text_[at_++];
  if (const char plain = simple_escape(letter); plain != '\0') {
    out.push_back(plain);
    return true;
  }
  const auto code = letter == 'u' ? hex4() : std::nullopt;
  if (!code) {
    repairs_->add(Repair::bad_escape);
    out.push_back('\\');
    out.push_back(letter);
    return true;
  }
  unsigned point = *code;
  if (point >= 0xD800 && point <= 0xDFFF) {
    const std::size_t before = at_;
    const auto low = point <= 0xDBFF && consume("\\u") ? hex4() : std::nullopt;
    if (low && *low >= 0xDC00 && *low <= 0xDFFF) {
      point = 0x10000U + ((point - 0xD800U) << 10U) + (*low - 0xDC00U);
    } else {
      at_ = before;
      repairs_->add(Repair::bad_escape);
      point = kReplacement;
    }
  }
  append_utf8(out, point);
  return true;
}

std::optional<json::Value> LenientReader::number() {
  const std::size_t length = number_length(rest());
  if (length == 0 || (at_ + length < text_.size() && is_name_part(text_[at_ + length]))) {
    return std::nullopt;
  }
  const std::string_view digits = rest().substr(0, length);
  const char* end = digits.data() + digits.size();
  at_ += length;
  std::int64_t integer = 0;
  if (const auto read = std::from_chars(digits.data(), end, integer);
      read.ec == std::errc() && read.ptr == end) {
    return json::Value(integer);
  }
  double real = 0;
  if (const auto read = std::from_chars(digits.data(), end, real);
      read.ec != std::errc() || read.ptr != end) {
    return std::nullopt;
  }
  return json::Value(real);
}

std::optional<json::Value> LenientReader::literal() {
  const std::string_view word = identifier();
  if (word == "True" || word == "False" || word == "None") {
    repairs_->add(Repair::python_literal);
  }
  if (word == "true" || word == "True") {
    return json::Value(true);
  }
  if (word == "false" || word == "False") {
    return json::Value(false);
  }
  if (word == "null" || word == "None") {
    return json::Value(nullptr);
  }
  return std::nullopt;
}

std::optional<json::Object> LenientReader::call_arguments() {
  skip_space();
  if (peek() == '{') {
    auto read = object();
    skip_space();
    return read && consume(")") ? std::move(read) : std::nullopt;
  }
  json::Object arguments;
  if (consume(")")) {
    return arguments;
  }
  bool closed = false;
  while (!closed) {
    skip_space();
    const std::string_view name = identifier();
    skip_space();
    if (name.empty() || !consume("=")) {
      return std::nullopt;
    }
    auto argument = value_at(1);
    if (!argument) {
      return std::nullopt;
    }
    arguments.insert_or_assign(name, *std::move(argument));
    if (!separator(')', closed)) {
      return std::nullopt;
    }
  }
  return arguments;
}

}  // namespace sortie::dialogue
