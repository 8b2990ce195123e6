#pragma once

#include "sortie/ledger/reader.h"

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sortie::analysis {

/// Prints rows as they come, keeping no more than the first thousand of a text table, which decide
/// its widths.
class RowPrinter {
 public:
  /// Takes the text; false: nobody reads any more.
  using Sink = std::function<bool(std::string_view)>;

  virtual ~RowPrinter() = default;

  virtual void columns(const std::vector<std::string>& names) = 0;

  /// False: stop.
  virtual bool row(std::span<const ledger::Cell> row) = 0;

  virtual void finish() = 0;

  /// "text", "csv" (RFC 4180 with line feeds; NULL is nothing, an empty text is ""), "json" (one
  /// array), "jsonl". Bytes that are no UTF-8 become U+FFFD in JSON.
  [[nodiscard]] static std::unique_ptr<RowPrinter> make(std::string_view format, Sink sink);
};

}  // namespace sortie::analysis
