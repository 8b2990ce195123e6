#pragma once

#include "sortie/base/json.h"

#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// Reading the data of a user's suite: every mistake is kept with the place of the value that it is
// about, so that whoever holds the text can say file, line and column.

namespace sortie::suite {

/// Names of members and positions (from 0) in lists, from the top down.
using DataPath = std::vector<std::string>;

struct DataProblem {
  DataPath path;
  std::string rule;     // in one word: "missing", "type", "schema", "reference", …
  std::string message;  // what is wrong and what was expected
  bool at_key = false;  // the member's name is wrong, not its value
};

/// One object of the data. `value` and `problems` must outlive it.
class DataReader {
 public:
  /// A value that is no object is a problem and reads as an empty one; so are members that `known`
  /// does not list.
  DataReader(const json::Value& value,
             DataPath path,
             std::span<const std::string_view> known,
             std::vector<DataProblem>& problems);

  [[nodiscard]] bool has(std::string_view name) const { return get(name) != nullptr; }

  /// nullptr when absent.
  [[nodiscard]] const json::Value* get(std::string_view name) const;

  /// The same; its absence is a problem.
  [[nodiscard]] const json::Value* require(std::string_view name);

  /// nullopt when absent; anything but a text that is not empty is a problem.
  [[nodiscard]] std::optional<std::string> text(std::string_view name);

  /// "" after a problem.
  [[nodiscard]] std::string required_text(std::string_view name);

  [[nodiscard]] bool flag(std::string_view name, bool standard);

  /// A list of texts; empty when absent.
  [[nodiscard]] std::vector<std::string> texts(std::string_view name);

  [[nodiscard]] const json::Array* list(std::string_view name);

  /// The path of something inside this object.
  [[nodiscard]] DataPath path(std::initializer_list<std::string_view> inside) const;

  void add(std::initializer_list<std::string_view> inside,
           std::string_view rule,
           std::string message);

  [[nodiscard]] std::vector<DataProblem>& problems() { return *problems_; }

 private:
  const json::Object* object_;  // nullptr: the value is no object
  DataPath path_;
  std::vector<DataProblem>* problems_;
};

/// "a text", "a number", "a list", … : what a value is, for messages.
[[nodiscard]] std::string_view kind_name(const json::Value& value);

/// One word that can be the name of a function at every provider: letters, digits, "_" and "-",
/// 1 to 64.
[[nodiscard]] bool is_word(std::string_view text);

}  // namespace sortie::suite
