#include "sortie/suite/sampling.h"

#include "sortie/base/check.h"
#include "sortie/base/json.h"
#include "sortie/base/random.h"
#include "sortie/suite/arguments.h"
#include "sortie/suite/catalog.h"
#include "sortie/suite/content.h"
#include "sortie/suite/task.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

namespace sortie::suite {

namespace {

using namespace std::string_view_literals;

constexpr int kTriesMax = 16;
constexpr std::array kSuffixes = {"-old"sv, "-copy"sv, "-v2"sv, "-draft"sv};

/// A whole number as one, as far as a double holds every whole number exactly.
json::Value number_value(double number) {
  constexpr double kExactMax = 9007199254740992;  // 2^53
  return std::floor(number) == number && std::abs(number) <= kExactMax
             ? json::Value(static_cast<std::int64_t>(number))
             : json::Value(number);
}

/// "a/b/c.csv" with a suffix on its name: "a/b/c-old.csv". Only a dot after the last slash starts
/// an extension.
std::string renamed(std::string_view text, std::string_view suffix) {
  const std::size_t slash = text.rfind('/');
  const std::size_t dot = text.rfind('.');
  const bool extension =
      dot != std::string_view::npos && (slash == std::string_view::npos || dot > slash);
  const std::size_t at = extension ? dot : text.size();
  return fmt::format("{}{}{}", text.substr(0, at), suffix, text.substr(at));
}

std::optional<std::string_view> other_word(std::string_view word, base::RandomStream& random) {
  for (const Subject& subject : subjects()) {
    for (const Field& field : subject.fields) {
      const auto found = std::ranges::find(field.words, word);
      if (found != field.words.end()) {
        const auto shift = 1 + random.below(field.words.size() - 1);
        const auto position = static_cast<std::size_t>(found - field.words.begin());
        return field.words[(position + shift) % field.words.size()];
      }
    }
  }
  return std::nullopt;
}

std::string_view other_field(std::string_view field,
                             const Subject& subject,
                             base::RandomStream& random) {
  const std::size_t start = random.below(subject.fields.size());
  for (std::size_t i = 0; i < subject.fields.size(); ++i) {
    const std::string_view name = subject.fields[(start + i) % subject.fields.size()].name;
    if (name != field) {
      return name;
    }
  }
  return field;
}

std::optional<json::Value> other_number(const json::Value& property,
                                        double number,
                                        base::RandomStream& random) {
  for (int attempt = 0; attempt < kTriesMax; ++attempt) {
    json::Value drawn =
        json::find(property, "minimum") != nullptr
            ? sample_number(property, random)
            : number_value(std::round(number * (1.5 + static_cast<double>(attempt))) + 1);
    if (!same_value(drawn, json::Value(number))) {
      return drawn;
    }
  }
  return std::nullopt;
}

std::optional<json::Value> other_choice(const json::Array& choices,
                                        const json::Value& value,
                                        base::RandomStream& random) {
  const std::size_t start = random.below(choices.size());
  for (std::size_t i = 0; i < choices.size(); ++i) {
    const json::Value& choice = choices[(start + i) % choices.size()];
    if (!same_value(choice, value)) {
      return choice;
    }
  }
  return std::nullopt;
}

}  // namespace

json::Value sample_number(const json::Value& property, base::RandomStream& random) {
  constexpr double kWidth = 100;  // where only one end is given
  const auto minimum = json::get_double(property, "minimum");
  const auto maximum = json::get_double(property, "maximum");
  const double low = minimum.value_or(maximum ? std::min(0.0, *maximum - kWidth) : 0);
  const double high = maximum.value_or(std::max(kWidth, low + kWidth));
  CHECK(low <= high);
  double step = 1;
  // About a hundred choices: 1, 10, 100, … as the range grows.
  while ((high - low) / step > 200) {
    step *= 10;
  }
  const double first = std::ceil(low / step) * step;
  if (first > high) {
    return number_value(low);  // no whole number lies between them
  }
  const auto steps = static_cast<std::uint64_t>(std::floor((high - first) / step));
  return number_value(first + step * static_cast<double>(random.below(steps + 1)));
}

json::Value sample_choice(const json::Value& property, base::RandomStream& random) {
  const json::Array& choices = *json::get_array(property, "enum");
  return choices[random.below(choices.size())];
}

json::Value sample_value(std::string_view parameter,
                         const json::Value& property,
                         const Subject& subject,
                         base::RandomStream& random) {
  if (json::find(property, "enum") != nullptr) {
    return sample_choice(property, random);
  }
  const std::string_view format = json::get_string(property, "format").value_or("");
  const std::uint64_t number = 10 + random.below(90);
  if (format == "field") {
    // The second field groups, the last one is a number: what most tools need.
    return json::Value(parameter == "group_by" ? subject.fields[1].name
                                               : subject.fields.back().name);
  }
  if (format == "path") {
    return json::Value(fmt::format("work/{}-{}.csv", subject.name, number));
  }
  if (format == "url") {
    return json::Value(fmt::format("https://gateway.example.com/{}/{}", subject.name, number));
  }
  if (format == "identifier") {
    return json::Value(fmt::format("{}-{}", subject.name, number));
  }
  if (json::get_string(property, "type") == "string") {
    return json::Value(fmt::format("item-{}", number));
  }
  if (json::get_string(property, "type") == "boolean") {
    return json::Value(random.below(2) == 0);
  }
  return sample_number(property, random);
}

std::optional<json::Value> other_value(const json::Value& property,
                                       const json::Value& value,
                                       const Subject& subject,
                                       base::RandomStream& random) {
  if (const json::Array* choices = json::get_array(property, "enum"); choices != nullptr) {
    return other_choice(*choices, value, random);
  }
  if (const std::optional<double> number = json::as_number(value)) {
    return other_number(property, *number, random);
  }
  if (value.is_bool()) {
    return json::Value(!value.get_bool());
  }
  if (!value.is_string()) {
    return std::nullopt;
  }
  const std::string_view text = json::view(value.get_string());
  const std::string_view format = json::get_string(property, "format").value_or("");
  if (format == "field") {
    return json::Value(other_field(text, subject, random));
  }
  if (format.empty()) {
    if (const auto word = other_word(text, random)) {
      return json::Value(*word);
    }
  }
  return json::Value(renamed(text, kSuffixes[random.below(kSuffixes.size())]));
}

json::Value ill_typed_value(const json::Value& property) {
  const json::Value* type = json::find(property, "type");
  if (type != nullptr && type->is_string()) {
    return json::view(type->get_string()) == "string" ? json::Value(7) : json::Value("several");
  }
  // Of several types: the first kind of value that is of none of them. A list fits no schema.
  for (const json::Value& value : {json::Value(true), json::Value(7), json::Value("several")}) {
    if (check_value("", property, value).has_value()) {
      return value;
    }
  }
  return json::Array{"several"};
}

const Subject& subject_of_plan(const ToolCatalog& catalog, const std::vector<Step>& plan) {
  for (const Step& step : plan) {
    const ToolSpec* tool = catalog.find(step.tool);
    for (const auto& [name, value] : step.arguments) {
      const json::Value* property = tool == nullptr ? nullptr : property_of(*tool, name);
      if (property != nullptr && json::get_bool(*property, "x-source").value_or(false) &&
          value.is_string()) {
        return tool->operation == "scanner" ? listing_subject()
                                            : subject_of(json::view(value.get_string()));
      }
    }
  }
  return subjects().front();
}

}  // namespace sortie::suite
