#include "sortie/base/text.h"
#include "sortie/suite/content.h"
#include "sortie/suite/tools.h"

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include <fmt/format.h>

namespace sortie::suite {

namespace {

constexpr std::size_t kMessageBytesMax = 160;

Outcome logger(const ToolInput& input) {
  Product product;
  const auto number = input.reference("entry", 90000) + 10000;
  product.content.table = single_row("number", static_cast<double>(number));
  product.value["level"] = input.text("level");
  product.value["entry"] = fmt::format("A-{}", number);
  return product;
}

Outcome cache(const ToolInput& input) {
  Product product;
  product.content = input.source();
  product.value["key"] = input.text("key");
  product.value["minutes"] = input.number("minutes");
  product.value["rows"] = whole(input.source().table.rows());
  return product;
}

Outcome tracker(const ToolInput& input) {
  Product product;
  const auto number = input.reference("tracking", 9000000) + 1000000;
  product.content.table = single_row("number", static_cast<double>(number));
  product.value["tracking"] = fmt::format("{}-{}", input.text("prefix"), number);
  return product;
}

struct MessageTemplate {
  std::string_view name;
  std::string_view opening;
};

constexpr std::array kTemplates = {MessageTemplate{"status_update", "Current state"},
                                   MessageTemplate{"weekly_digest", "This week"},
                                   MessageTemplate{"incident_brief", "What happened"},
                                   MessageTemplate{"handover_note", "For the next shift"},
                                   MessageTemplate{"customer_reply", "Thank you for waiting"},
                                   MessageTemplate{"approval_request", "Please approve"}};

/// The first row of the input as "name value, name value".
std::string facts(const Table& table) {
  std::string out;
  for (std::size_t i = 0; i < table.columns.size() && table.rows() > 0; ++i) {
    const json::Value cell = table.cell(0, i);
    out += out.empty() ? "" : ", ";
    out += fmt::format(
        "{} {}",
        table.columns[i].name,
        cell.is_string() ? std::string(json::view(cell.get_string())) : json::to_text(cell));
  }
  return out.empty() ? "nothing to report" : out;
}

Outcome helper(const ToolInput& input) {
  const std::string_view name = input.text("template");
  for (const MessageTemplate& known : kTemplates) {
    if (known.name == name) {
      Product product;
      product.content = {.table = input.source().table, .format = Format::none};
      product.value["template"] = name;
      product.value["text"] = base::shortened(
          fmt::format("{}: {}.", known.opening, facts(input.source().table)), kMessageBytesMax);
      product.value["enclosed"] = input.second() != nullptr;
      return product;
    }
  }
  return invalid_input(fmt::format("there is no template '{}'", name));
}

Outcome notifier(const ToolInput& input) {
  Product product;
  const auto number = input.reference("notice", 9000) + 1000;
  product.content.table = single_row("number", static_cast<double>(number));
  product.value["channel"] = input.text("channel");
  product.value["delivered"] = true;
  product.value["notice"] = fmt::format("N-{}", number);
  return product;
}

constexpr std::array kFunctions = {NamedFunction{"utility_logger", logger},
                                   NamedFunction{"utility_cache", cache},
                                   NamedFunction{"utility_tracker", tracker},
                                   NamedFunction{"utility_helper", helper},
                                   NamedFunction{"utility_notifier", notifier}};

}  // namespace

std::span<const NamedFunction> utility_functions() {
  return kFunctions;
}

}  // namespace sortie::suite
