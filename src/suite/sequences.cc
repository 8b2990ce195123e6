#include "sortie/suite/sequences.h"

#include "sortie/suite/arguments.h"
#include "sortie/suite/catalog.h"
#include "sortie/suite/trial.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <initializer_list>
#include <string_view>
#include <vector>

namespace sortie::suite {

namespace {

constexpr std::size_t kStrandMax = 3;
constexpr std::size_t kSecondStrandMax = 2;
constexpr std::size_t kTailMax = 2;

struct Chain {
  std::vector<std::size_t> tools;
  std::string_view kind;  // what its last artifact counts as
};

bool is_one_of(std::string_view name, std::initializer_list<std::string_view> names) {
  return std::ranges::find(names, name) != names.end();
}

/// The handle through which a chain goes on: the first required one, else the first optional one of
/// a source.
std::string_view main_handle(const ToolSpec& tool) {
  const auto handles = tool.handle_parameters();
  return handles.empty() ? "" : handles.front();
}

bool is_source(const ToolSpec& tool) {
  return main_handle(tool).empty() || !is_required(tool, main_handle(tool));
}

bool follows(const ToolSpec& tool, std::string_view kind) {
  return !main_handle(tool).empty() && accepts_kind(*property_of(tool, main_handle(tool)), kind);
}

class Enumerator {
 public:
  explicit Enumerator(const ToolCatalog& catalog) : catalog_(catalog) {}

  [[nodiscard]] const ToolSpec& tool(std::size_t position) const {
    return catalog_.tools()[position];
  }

  /// Chains of exactly `length` tools that start with a source.
  [[nodiscard]] std::vector<Chain> chains(std::size_t length) const {
    std::vector<Chain> out;
    for (std::size_t i = 0; i < catalog_.tools().size(); ++i) {
      if (is_source(tool(i))) {
        extend({.tools = {i}, .kind = tool(i).kind}, length, out);
      }
    }
    return out;
  }

  /// `chain` and what can follow it, up to `length` tools in all.
  void extend(const Chain& chain, std::size_t length, std::vector<Chain>& out) const {
    if (chain.tools.size() == length) {
      out.push_back(chain);
      return;
    }
    for (std::size_t i = 0; i < catalog_.tools().size(); ++i) {
      const bool used = std::ranges::find(chain.tools, i) != chain.tools.end();
      if (!used && follows(tool(i), chain.kind)) {
        Chain longer = chain;
        longer.tools.push_back(i);
        longer.kind = kind_after(tool(i), chain.kind);
        extend(longer, length, out);
      }
    }
  }

  [[nodiscard]] std::size_t count_category(const Chain& chain,
                                           std::initializer_list<std::string_view> names) const {
    return static_cast<std::size_t>(std::ranges::count_if(
        chain.tools, [&](std::size_t i) { return is_one_of(tool(i).category, names); }));
  }

  [[nodiscard]] bool uses(const Chain& chain, std::string_view name) const {
    return std::ranges::any_of(chain.tools, [&](std::size_t i) { return tool(i).name == name; });
  }

  [[nodiscard]] const ToolSpec& first(const Chain& chain) const {
    return tool(chain.tools.front());
  }

  [[nodiscard]] const ToolSpec& last(const Chain& chain) const { return tool(chain.tools.back()); }

  [[nodiscard]] bool fits(TaskType type, const Chain& chain) const;
  void join(const Chain& a, const Chain& b, std::vector<Sequence>& out) const;

 private:
  const ToolCatalog& catalog_;
};

bool Enumerator::fits(TaskType type, const Chain& chain) const {
  const ToolSpec& end = last(chain);
  // A kept copy is of use only to a later step.
  if (end.operation == "cache") {
    return false;
  }
  switch (type) {
    case TaskType::simple_task:
      return true;
    case TaskType::basic_task:
      return first(chain).category != "integration" &&
             count_category(chain, {"data_processing", "computation"}) >= 1 &&
             (end.effect ||
              is_one_of(end.operation, {"tracker", "helper", "compressor", "router"}));
    case TaskType::data_pipeline:
      return first(chain).category != "integration" && uses(chain, "data_processing_parser") &&
             count_category(chain, {"data_processing"}) >= 2 &&
             is_one_of(
                 end.category,
                 {"data_processing", "computation", "file_operations", "utility", "integration"});
    case TaskType::api_integration:
      return is_one_of(first(chain).operation, {"fetcher", "authenticator", "monitor"}) &&
             count_category(chain, {"network", "integration"}) >= 2 &&
             (is_one_of(end.category, {"network", "integration"}) || end.effect) &&
             end.category != "file_operations";
    case TaskType::multi_stage_pipeline:
      break;
  }
  return false;
}

/// Two strands, the second from `second_strand` on, that meet at `join`; then one after the other.
Sequence joined(const Chain& chain, std::size_t second_strand, std::size_t join) {
  Sequence sequence{
      .tools = chain.tools, .inputs = {}, .second_strand = second_strand, .join = join};
  for (std::size_t k = 0; k < chain.tools.size(); ++k) {
    const bool starts = k == 0 || k == second_strand;
    sequence.inputs.push_back(starts ? std::vector<std::size_t>{}
                                     : std::vector<std::size_t>{k - 1});
  }
  sequence.inputs[join] = {second_strand - 1, join - 1};
  return sequence;
}

void Enumerator::join(const Chain& a, const Chain& b, std::vector<Sequence>& out) const {
  for (std::size_t i = 0; i < catalog_.tools().size(); ++i) {
    const auto handles = tool(i).handle_parameters();
    const bool used = std::ranges::find(a.tools, i) != a.tools.end() ||
                      std::ranges::find(b.tools, i) != b.tools.end();
    if (used || handles.size() != 2 || !accepts_kind(*property_of(tool(i), handles[0]), a.kind) ||
        !accepts_kind(*property_of(tool(i), handles[1]), b.kind)) {
      continue;
    }
    // The tail may use neither strand's tools again.
    Chain whole{.tools = a.tools, .kind = tool(i).kind};
    whole.tools.insert(whole.tools.end(), b.tools.begin(), b.tools.end());
    whole.tools.push_back(i);
    const std::size_t length = whole.tools.size();
    for (std::size_t tail = 0; tail <= kTailMax && length + tail <= 6; ++tail) {
      std::vector<Chain> chains;
      extend(whole, length + tail, chains);
      for (const Chain& chain : chains) {
        if (last(chain).operation != "cache" && chain.tools.size() >= 4) {
          out.push_back(joined(chain, a.tools.size(), length - 1));
        }
      }
    }
  }
}

std::vector<Sequence> two_strands(const Enumerator& enumerator) {
  std::vector<Sequence> out;
  for (std::size_t a = 1; a <= kStrandMax; ++a) {
    for (std::size_t b = 1; b <= kSecondStrandMax; ++b) {
      const std::vector<Chain> seconds = enumerator.chains(b);
      for (const Chain& first : enumerator.chains(a)) {
        for (const Chain& second : seconds) {
          enumerator.join(first, second, out);
        }
      }
    }
  }
  return out;
}

}  // namespace

std::string_view kind_after(const ToolSpec& tool, std::string_view before) {
  return tool.keeps_content ? before : std::string_view(tool.kind);
}

std::vector<Sequence> sequences(const ToolCatalog& catalog, TaskType type) {
  const Enumerator enumerator(catalog);
  if (type == TaskType::multi_stage_pipeline) {
    return two_strands(enumerator);
  }
  std::vector<Sequence> out;
  const std::size_t low = 3;
  const std::size_t high = type == TaskType::simple_task ? 3 : type == TaskType::basic_task ? 4 : 5;
  for (std::size_t length = low; length <= high; ++length) {
    for (const Chain& chain : enumerator.chains(length)) {
      if (!enumerator.fits(type, chain)) {
        continue;
      }
      Sequence sequence{.tools = chain.tools, .inputs = {{}}, .second_strand = 0, .join = 0};
      for (std::size_t k = 1; k < length; ++k) {
        sequence.inputs.push_back({k - 1});
      }
      out.push_back(std::move(sequence));
    }
  }
  return out;
}

}  // namespace sortie::suite
