#include "sortie/base/json.h"
#include "sortie/suite/content.h"
#include "sortie/suite/tools.h"

#include <array>
#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include <fmt/format.h>

namespace sortie::suite {

namespace {

Outcome reader(const ToolInput& input) {
  const std::string_view path = input.text("path");
  if (!input.source_known) {
    return std::unexpected(
        Refusal{.code = "FILE_NOT_FOUND", .message = fmt::format("there is no file '{}'", path)});
  }
  Product product;
  product.content = {.table = source_table(path, subject_of(path)), .format = format_of_path(path)};
  const std::string text = product.content.table.csv();
  product.value["format"] = to_string(product.content.format);
  product.value["bytes"] = whole(text.size());
  product.value["fields"] = product.content.table.field_names();
  return product;
}

Outcome scanner(const ToolInput& input) {
  const std::string_view directory = input.text("directory");
  if (!input.source_known) {
    return std::unexpected(Refusal{.code = "FILE_NOT_FOUND",
                                   .message = fmt::format("there is no folder '{}'", directory)});
  }
  Product product;
  // Each extension is another set of files of the same folder.
  const std::string name = fmt::format("{}/*.{}", directory, input.text("extension"));
  product.content = {.table = source_table(name, listing_subject()), .format = Format::lines};
  product.value["files"] = whole(product.content.table.rows());
  product.value["extension"] = input.text("extension");
  product.value["first"] = product.content.table.row_object(0);
  return product;
}

Outcome converter(const ToolInput& input) {
  const std::string_view to = input.text("to");
  const Content& source = input.source();
  if (source.format == format_from(to)) {
    return invalid_input(
        fmt::format("the content is {} already; 'to' has to be another format", to));
  }
  Product product;
  product.content = {.table = source.table, .format = format_from(to)};
  product.value["format"] = to;
  product.value["bytes"] = whole(source.table.csv().size());
  product.value["rows"] = whole(source.table.rows());
  return product;
}

/// Shannon's bound for a code without context, in bytes.
double entropy_bytes(std::string_view text) {
  std::array<double, 256> counts{};
  for (const char c : text) {
    counts[static_cast<unsigned char>(c)] += 1;
  }
  double bits = 0;
  for (const double count : counts) {
    if (count > 0) {
      bits -= count * std::log2(count / static_cast<double>(text.size()));
    }
  }
  return bits / 8;
}

Outcome compressor(const ToolInput& input) {
  std::string text = input.source().table.csv();
  if (const Content* also = input.second()) {
    text += also->table.csv();
  }
  Product product;
  product.content.table = single_row("number", static_cast<double>(text.size()));
  product.value["method"] = input.text("method");
  product.value["bytes_before"] = whole(text.size());
  product.value["bytes_after"] = std::lround(entropy_bytes(text));
  product.value["parts"] = whole(input.contents.size());
  return product;
}

Outcome writer(const ToolInput& input) {
  const std::string_view path = input.text("path");
  if (path.starts_with('/') || path.starts_with('~') || path.find("..") != std::string_view::npos) {
    return std::unexpected(
        Refusal{.code = "PERMISSION_DENIED",
                .message = fmt::format("'{}' is outside of the working folder; 'path' has to be "
                                       "relative and stay inside",
                                       path)});
  }
  if (path.ends_with('/')) {
    return invalid_input(
        fmt::format("'{}' names a folder; 'path' has to end with the name of a file", path));
  }
  Product product;
  product.content = {.table = input.source().table, .format = input.source().format};
  product.value["path"] = path;
  product.value["bytes"] = whole(input.source().table.csv().size());
  return product;
}

constexpr std::array kFunctions = {NamedFunction{"file_operations_reader", reader},
                                   NamedFunction{"file_operations_scanner", scanner},
                                   NamedFunction{"file_operations_converter", converter},
                                   NamedFunction{"file_operations_compressor", compressor},
                                   NamedFunction{"file_operations_writer", writer}};

}  // namespace

std::span<const NamedFunction> file_functions() {
  return kFunctions;
}

}  // namespace sortie::suite
