#include "sortie/suite/data_reader.h"

#include "sortie/base/json.h"
#include "sortie/base/text.h"

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace sortie::suite {

namespace {

constexpr std::size_t kShownBytesMax = 60;
constexpr std::size_t kWordBytesMax = 64;

}  // namespace

DataReader::DataReader(const json::Value& value,
                       DataPath path,
                       std::span<const std::string_view> known,
                       std::vector<DataProblem>& problems)
    : object_(value.if_object()), path_(std::move(path)), problems_(&problems) {
  if (object_ == nullptr) {
    add({}, "type", fmt::format("expected a mapping, found {}", kind_name(value)));
    return;
  }
  const std::vector<std::string> names(known.begin(), known.end());
  for (const auto& member : *object_) {
    const std::string_view name = member.key();
    if (std::ranges::find(known, name) == known.end()) {
      problems_->push_back({.path = this->path({name}),
                            .rule = "unknown_key",
                            .message = fmt::format("unknown key '{}'{}",
                                                   base::shortened(name, kShownBytesMax),
                                                   base::suggestion(name, names)),
                            .at_key = true});
    }
  }
}

const json::Value* DataReader::get(std::string_view name) const {
  return object_ == nullptr ? nullptr : object_->if_contains(name);
}

const json::Value* DataReader::require(std::string_view name) {
  const json::Value* value = get(name);
  if (value == nullptr && object_ != nullptr) {
    add({}, "missing", fmt::format("'{}' is missing", name));
  }
  return value;
}

std::optional<std::string> DataReader::text(std::string_view name) {
  const json::Value* value = get(name);
  if (value == nullptr) {
    return std::nullopt;
  }
  if (value->is_string() && !base::trim(json::view(value->get_string())).empty()) {
    return std::string(json::view(value->get_string()));
  }
  const bool quotable = value->is_number() || value->is_bool();
  add({name},
      "type",
      fmt::format(
          "'{}' has to be a text that is not empty, found {}{}",
          name,
          kind_name(*value),
          quotable ? fmt::format("; in quotes it is one: \"{}\"", json::to_text(*value)) : ""));
  return std::nullopt;
}

std::string DataReader::required_text(std::string_view name) {
  return require(name) == nullptr ? "" : text(name).value_or("");
}

bool DataReader::flag(std::string_view name, bool standard) {
  const json::Value* value = get(name);
  if (value == nullptr) {
    return standard;
  }
  if (!value->is_bool()) {
    add({name},
        "type",
        fmt::format("'{}' has to be true or false, found {}", name, kind_name(*value)));
    return standard;
  }
  return value->get_bool();
}

const json::Array* DataReader::list(std::string_view name) {
  const json::Value* value = get(name);
  if (value != nullptr && !value->is_array()) {
    add({name}, "type", fmt::format("'{}' has to be a list, found {}", name, kind_name(*value)));
    return nullptr;
  }
  return value == nullptr ? nullptr : &value->get_array();
}

std::vector<std::string> DataReader::texts(std::string_view name) {
  std::vector<std::string> out;
  const json::Array* items = list(name);
  for (std::size_t i = 0; items != nullptr && i < items->size(); ++i) {
    const json::Value& item = (*items)[i];
    if (item.is_string() && !item.get_string().empty()) {
      out.emplace_back(json::view(item.get_string()));
    } else {
      add({name, fmt::to_string(i)},
          "type",
          fmt::format("'{}' has to be a list of texts, found {} in it", name, kind_name(item)));
    }
  }
  return out;
}

DataPath DataReader::path(std::initializer_list<std::string_view> inside) const {
  DataPath out = path_;
  out.insert(out.end(), inside.begin(), inside.end());
  return out;
}

void DataReader::add(std::initializer_list<std::string_view> inside,
                     std::string_view rule,
                     std::string message) {
  problems_->push_back({.path = path(inside),
                        .rule = std::string(rule),
                        .message = std::move(message),
                        .at_key = false});
}

std::string_view kind_name(const json::Value& value) {
  switch (value.kind()) {
    case boost::json::kind::null:
      return "nothing";
    case boost::json::kind::bool_:
      return "true or false";
    case boost::json::kind::int64:
    case boost::json::kind::uint64:
    case boost::json::kind::double_:
      return "a number";
    case boost::json::kind::string:
      return value.get_string().empty() ? "an empty text" : "a text";
    case boost::json::kind::array:
      return "a list";
    case boost::json::kind::object:
      return "a mapping";
  }
  return "";
}

bool is_word(std::string_view text) {
  return !text.empty() && text.size() <= kWordBytesMax && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  });
}

}  // namespace sortie::suite
