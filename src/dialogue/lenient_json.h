#pragma once

#include "sortie/base/json.h"
#include "sortie/dialogue/repair.h"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

// JSON as models write it: single quotes, trailing commas, Python's literals, bare keys, line
// breaks in strings, fullwidth punctuation. Every departure from the standard is recorded as a
// repair. Nothing is guessed: what has two readings does not read.

namespace sortie::dialogue {

/// Length of the character that `text` starts with if it looks like a space or like nothing but is
/// none of JSON's: a byte order mark, fullwidth and no-break space, zero-width and direction marks.
/// 0 for any other.
[[nodiscard]] std::size_t odd_space_length(std::string_view text);

/// `text` without space of any kind at its ends; odd space is added to `repairs`.
[[nodiscard]] std::string_view trim_space(std::string_view text, Repairs& repairs);

/// A cursor over an answer. Every read starts at position() and moves it; after a failed read it
/// stands where reading stopped. Each byte is looked at a bounded number of times per read.
class LenientReader {
 public:
  struct Options {
    bool end_closes = false;  // the end of the text, or a tag, closes what is still open
  };

  LenientReader(std::string_view text, std::size_t at, Repairs& repairs, Options options)
      : text_(text), at_(at), repairs_(&repairs), options_(options) {}

  [[nodiscard]] std::size_t position() const { return at_; }

  [[nodiscard]] std::string_view text() const { return text_; }

  [[nodiscard]] std::string_view rest() const { return text_.substr(at_); }

  [[nodiscard]] Repairs& repairs() { return *repairs_; }

  [[nodiscard]] bool at_end() const { return at_ >= text_.size(); }

  /// '\0' at the end.
  [[nodiscard]] char peek() const { return at_end() ? '\0' : text_[at_]; }

  /// Whether the end of the text may close what is open: false for an answer that was cut.
  [[nodiscard]] bool end_closes() const { return options_.end_closes; }

  void move_to(std::size_t position) { at_ = position; }

  void skip_space();
  bool consume(std::string_view expected);

  /// [A-Za-z_][A-Za-z0-9_.-]*, "" if there is none.
  std::string_view identifier();

  std::optional<json::Value> value();
  std::optional<json::Object> object();
  std::optional<std::string> string();

  /// Whether a string of any kind of quotes begins here.
  [[nodiscard]] bool at_string() const;

  /// What stands between the parentheses of a call, after the opening one: one object, or key=value
  /// pairs.
  std::optional<json::Object> call_arguments();

 private:
  std::optional<json::Value> value_at(std::size_t depth);
  std::optional<json::Value> object_at(std::size_t depth);
  std::optional<json::Value> array_at(std::size_t depth);
  std::optional<json::Value> number();
  std::optional<json::Value> literal();
  std::optional<std::string> key();
  std::optional<std::string> escaped_string();
  std::optional<std::string> typographic_string();
  std::optional<std::string> checked(std::string_view text);
  bool escape(std::string& out);
  bool consume_mark(std::string_view usual, std::string_view fullwidth);
  std::optional<unsigned> hex4();
  bool separator(char close, bool& closed);
  bool ended_early();

  std::string_view text_;
  std::size_t at_;
  Repairs* repairs_;
  Options options_;
};

}  // namespace sortie::dialogue
