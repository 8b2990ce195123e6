#include "sortie/spec/node_json.h"

#include "sortie/base/json.h"
#include "sortie/spec/node.h"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <system_error>

namespace sortie::spec {
namespace {

/// Whether JSON reads this text as a number: -?(0|[1-9][0-9]*)… and so on.
bool looks_like_number(std::string_view text) {
  if (text.starts_with('-')) {
    text.remove_prefix(1);
  }
  const bool digit = !text.empty() && text[0] >= '0' && text[0] <= '9';
  const bool leading_zero = text.size() > 1 && text[0] == '0' && text[1] >= '0' && text[1] <= '9';
  return digit && !leading_zero && text.find_first_not_of("0123456789.eE+-") == std::string::npos;
}

json::Value scalar(const Node& node) {
  if (node.quoted) {
    return json::Value(node.text);
  }
  if (node.text == "true" || node.text == "false") {
    return json::Value(node.text == "true");
  }
  if (looks_like_number(node.text)) {
    auto value = json::parse(node.text);
    if (value.has_value()) {
      return std::move(*value);
    }
  }
  return json::Value(node.text);
}

/// Position in a list, or npos.
std::size_t position_in(const Node& list, std::string_view part) {
  std::size_t position = 0;
  const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), position);
  const bool number = error == std::errc() && end == part.data() + part.size();
  return number && position < list.items.size() ? position : std::string_view::npos;
}

}  // namespace

json::Value to_json(const Node& node) {
  switch (node.kind) {
    case Node::Kind::nothing:
      return nullptr;
    case Node::Kind::scalar:
      return scalar(node);
    case Node::Kind::list: {
      json::Array out;
      for (const Node& item : node.items) {
        out.push_back(to_json(item));
      }
      return out;
    }
    case Node::Kind::mapping:
      break;
  }
  json::Object out;
  for (const NodeEntry& entry : node.entries) {
    out[entry.key] = to_json(entry.value);
  }
  return out;
}

Mark mark_of_path(const Node& root, std::span<const std::string> path, bool at_key) {
  const Node* node = &root;
  Mark mark = root.mark;
  for (const std::string& part : path) {
    if (node->kind == Node::Kind::list) {
      const std::size_t position = position_in(*node, part);
      if (position == std::string_view::npos) {
        return mark;
      }
      node = &node->items[position];
      mark = node->mark;
      continue;
    }
    const auto entry = std::ranges::find(node->entries, part, &NodeEntry::key);
    if (entry == node->entries.end()) {
      return mark;
    }
    node = &entry->value;
    mark = at_key && &part == &path.back() ? entry->mark : node->mark;
  }
  return mark;
}

}  // namespace sortie::spec
