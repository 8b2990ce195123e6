#include "sortie/spec/secret_ref.h"

#include "sortie/base/text.h"
#include "sortie/spec/model.h"
#include "sortie/spec/node.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace sortie::spec {
namespace {

constexpr std::size_t kArgumentsMax = 64;

bool is_variable_name(std::string_view name) {
  const auto letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
  };
  const auto allowed = [&](char c) { return letter(c) || (c >= '0' && c <= '9'); };
  return !name.empty() && letter(name[0]) && std::ranges::all_of(name, allowed);
}

void read_arguments(const Node& list, Mark where, SecretRef& ref, Problems& problems) {
  ref.kind = SecretRef::Kind::cmd;
  if (list.kind != Node::Kind::list || list.items.empty() || list.items.size() > kArgumentsMax) {
    problems.add(where,
                 "cmd: expected a list of the program and its arguments, at most 64, such as "
                 "[pass, show, key]");
    return;
  }
  for (const Node& item : list.items) {
    if (item.kind != Node::Kind::scalar || item.text.contains('\0')) {
      problems.add(where, "cmd: each argument must be a text");
      return;
    }
    ref.argv.push_back(item.text);
  }
  if (ref.argv.front().empty()) {
    problems.add(where, "cmd: the program's name is empty");
  }
}

/// The list in "cmd:[pass, show, key]", which YAML itself reads as one text.
void read_inline_arguments(std::string_view text, Mark where, SecretRef& ref, Problems& problems) {
  Problems inner("", text);
  const std::optional<Node> list = parse_yaml(text, inner);
  read_arguments(list && !inner.any() ? *list : Node{}, where, ref, problems);
}

void read_text_ref(std::string_view text, Mark where, SecretRef& ref, Problems& problems) {
  const std::size_t colon = text.find(':');
  const std::string_view kind = text.substr(0, colon);
  const std::string_view target =
      colon == std::string_view::npos ? "" : base::trim(text.substr(colon + 1));
  if (text == "none") {
    ref.kind = SecretRef::Kind::none;
  } else if (kind == "env") {
    ref.kind = SecretRef::Kind::env;
    ref.target = target;
    if (!is_variable_name(target)) {
      problems.add(where, "secret: what follows env: is not the name of an environment variable");
    }
  } else if (kind == "file") {
    ref.kind = SecretRef::Kind::file;
    ref.target = target;
    if (target.empty()) {
      problems.add(where, "secret: a path must follow file:");
    }
  } else if (kind == "cmd") {
    read_inline_arguments(target, where, ref, problems);
  } else {
    problems.add(where,
                 "secret: expected env:NAME, file:PATH, cmd:[program, argument, …] or none; the "
                 "key itself never "
                 "stands in a file");
  }
}

}  // namespace

SecretRef read_secret_ref(const Node& node, Problems& problems) {
  SecretRef ref;
  ref.where = problems.position(node.mark);
  if (node.kind == Node::Kind::scalar) {
    read_text_ref(node.text, node.mark, ref, problems);
  } else if (node.kind == Node::Kind::mapping && node.entries.size() == 1 &&
             node.entries[0].key == "cmd") {
    read_arguments(node.entries[0].value, node.mark, ref, problems);
  } else {
    read_text_ref("", node.mark, ref, problems);
  }
  return ref;
}

}  // namespace sortie::spec
