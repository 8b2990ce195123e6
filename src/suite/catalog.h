#pragma once

#include "sortie/base/error.h"
#include "sortie/base/hash.h"
#include "sortie/base/json.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

// The tools of a suite, as data: suites/<name>/tools.json for the built-in ones, whose work is the
// world's business (world.h), or a user's own (declared_tool.h).

namespace sortie::suite {

struct ToolSpec {
  std::string name;       // "data_processing_parser"
  std::string category;   // "data_processing"
  std::string operation;  // "parser"
  std::string description;
  std::vector<std::string> synonyms;     // at least five
  json::Value parameters;                // JSON Schema of the argument object
  std::string produces;                  // kind of the artifact, in words for show_tool
  std::vector<std::string> error_codes;  // that the world itself may return, then the injected ones
  std::string kind;            // kind of the artifact, one word; the first part of its handle
  bool effect = false;         // changes something outside: a file, a message, a place in a queue
  bool keeps_content = false;  // the artifact has the content of the first input, unchanged
  std::size_t injected_codes = 0;  // how many of error_codes, at its end, are injected
  bool declared = false;           // of a user's suite: does what the next two say
  std::string unknown_source;      // the code for a source that the task does not name
  json::Value returns;             // what a call returns, with arguments filled in; null: an echo

  /// Names of the parameters that take handles, in schema order.
  [[nodiscard]] std::vector<std::string_view> handle_parameters() const;
};

/// The tools of a world, immutable.
class ToolCatalog {
 public:
  /// The 30 tools of `pilot`.
  [[nodiscard]] static ToolCatalog pilot();

  /// From the text of a tool file: {"suite": "pilot/1", "tools": [...]}. `source` names it in
  /// errors.
  [[nodiscard]] static base::Result<ToolCatalog> from_text(std::string_view source,
                                                           std::string_view text);

  /// The tools of a user's suite; names are unique.
  [[nodiscard]] static ToolCatalog of_declared(std::vector<ToolSpec> tools);

  [[nodiscard]] const std::vector<ToolSpec>& tools() const { return tools_; }

  /// Whether these are the tools of a user's suite.
  [[nodiscard]] bool declared() const { return !tools_.empty() && tools_.front().declared; }

  [[nodiscard]] const ToolSpec* find(std::string_view name) const;
  [[nodiscard]] std::vector<std::string> categories() const;

  /// Digest of every tool's specification and of the world's rules (a version constant): part of a
  /// trial's key.
  [[nodiscard]] const base::Digest& version() const { return version_; }

 private:
  [[nodiscard]] static base::Digest digest_of(const std::vector<ToolSpec>& tools);

  std::vector<ToolSpec> tools_;
  base::Digest version_;
};

/// Appends the codes of injected failures, which the world itself never returns.
void add_injected_codes(ToolSpec& tool);

}  // namespace sortie::suite
