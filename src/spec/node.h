#pragma once

#include "sortie/base/error.h"
#include "sortie/spec/model.h"

#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// A YAML document as a plain tree with positions, and the list of what is wrong with it. Everything
// is bounded: bytes, depth and nodes, aliases counted as what they stand for.

namespace sortie::spec {

inline constexpr std::size_t kYamlBytesMax = 4UL * 1024 * 1024;
inline constexpr std::size_t kYamlDepthMax = 32;
inline constexpr std::size_t kYamlNodesMax = 200'000;

/// A place in the text. Line and column from 0, columns in bytes; Problems turns them into what
/// editors show.
struct Mark {
  int line = 0;
  int column = 0;

  auto operator<=>(const Mark&) const = default;
};

struct NodeEntry;

struct Node {
  enum class Kind : std::uint8_t { nothing, scalar, list, mapping };

  Kind kind = Kind::nothing;
  Mark mark;
  std::string text;                // scalar only
  bool quoted = false;             // scalar only: a quoted "5" is a text, never a number
  std::vector<Node> items;         // list only
  std::vector<NodeEntry> entries;  // mapping only, in file order, keys unique
};

struct NodeEntry {
  std::string key;
  Mark mark;  // of the key
  Node value;
};

/// What is wrong with one file. Reading goes on after a problem, so that a person sees all of them
/// at once.
class Problems {
 public:
  /// `text` must outlive the object.
  Problems(std::string file, std::string_view text);

  void add(Mark where, std::string message);

  [[nodiscard]] bool any() const { return !problems_.empty(); }

  /// One line per problem, "file:line:column: message", in file order, at most ten. Only when
  /// any().
  [[nodiscard]] base::Error error() const;

  /// Line and column from 1; the column counts characters.
  [[nodiscard]] Position position(Mark where) const;

  [[nodiscard]] const std::string& file() const { return file_; }

 private:
  struct Problem {
    Mark where;
    std::string message;
  };

  std::string file_;
  std::string_view text_;
  std::vector<Problem> problems_;
};

/// The only document in `text`, with aliases replaced by what they name and "<<" merged. nullopt:
/// the text is no YAML, and `problems` says where. Duplicate keys are problems too, but the tree is
/// complete (the first one holds).
[[nodiscard]] std::optional<Node> parse_yaml(std::string_view text, Problems& problems);

/// "a mapping", "a list", "nothing", "a text": for messages that must not show the value.
[[nodiscard]] std::string_view kind_name(const Node& node);

}  // namespace sortie::spec
