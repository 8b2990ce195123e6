#include "sortie/suite/world.h"

#include "sortie/base/check.h"
#include "sortie/base/hash.h"
#include "sortie/base/json.h"
#include "sortie/base/random.h"
#include "sortie/base/text.h"
#include "sortie/suite/arguments.h"
#include "sortie/suite/catalog.h"
#include "sortie/suite/content.h"
#include "sortie/suite/declared_tool.h"
#include "sortie/suite/task.h"
#include "sortie/suite/tools.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace sortie::suite {

namespace {

constexpr std::size_t kInputsMax = kHandlesMax;
constexpr std::size_t kShownHandlesMax = 12;
constexpr std::size_t kShownBytesMax = 60;
constexpr std::string_view kInvalidInput = "INVALID_INPUT";
constexpr std::string_view kFileKind = "file";

struct Artifact {
  const ToolSpec* tool = nullptr;
  std::string_view kind;  // what it counts as: for a kept copy the kind of the original
  Content content;
  std::uint32_t call = 0;                          // the record of the call that made it
  std::array<std::uint32_t, kInputsMax> inputs{};  // positions of artifacts
  std::uint8_t input_count = 0;
  bool replaced = false;  // a later effect took its place

  [[nodiscard]] std::span<const std::uint32_t> input_list() const {
    return std::span(inputs).first(input_count);
  }
};

bool same_arguments(const json::Object& a, const json::Object& b) {
  return a.size() == b.size() && std::ranges::all_of(a, [&](const auto& member) {
           const json::Value* other = b.if_contains(member.key());
           return other != nullptr && same_value(member.value(), *other);
         });
}

CallResult rejected(std::string_view code, std::string message) {
  CallResult result;
  result.status = CallStatus::rejected;
  result.code = code;
  result.message = std::move(message);
  return result;
}

base::CounterRandom luck_of(std::string_view purpose,
                            std::uint64_t seed,
                            const base::Digest& task,
                            int repeat,
                            std::string_view tool) {
  base::FieldHasher hasher("sortie.luck.v1");
  hasher.field("purpose", purpose);
  hasher.field("seed", static_cast<std::int64_t>(seed));
  hasher.field("task", task);
  hasher.field("repeat", std::int64_t{repeat});
  hasher.field("tool", tool);
  return base::CounterRandom(hasher.finish());
}

std::string_view injected_reason(std::string_view code) {
  if (code == "TIMEOUT") {
    return "The operation did not finish in time.";
  }
  return code == "NETWORK_ERROR" ? "The network did not carry the request."
                                 : "The operation failed.";
}

}  // namespace

Luck::Luck(std::uint64_t seed, const base::Digest& task, int repeat, double tool_success_rate)
    : seed_(seed), task_(task), repeat_(repeat), rate_(tool_success_rate) {}

bool Luck::succeeds(std::string_view tool, std::size_t nth) const {
  return luck_of("success", seed_, task_, repeat_, tool).uniform(nth) < rate_;
}

std::size_t Luck::choose_code(std::string_view tool, std::size_t nth, std::size_t count) const {
  CHECK(count > 0);
  const double uniform = luck_of("code", seed_, task_, repeat_, tool).uniform(nth);
  return std::min(count - 1, static_cast<std::size_t>(uniform * static_cast<double>(count)));
}

struct World::State {
  const ToolCatalog& catalog;
  const Task& task;
  Luck luck;
  std::vector<CallRecord> calls;
  std::vector<Artifact> artifacts;
  std::vector<std::uint32_t> valid_calls;  // per tool of the catalog

  struct Resolved {
    std::vector<std::uint32_t> inputs;
    std::vector<const Content*> contents;
  };

  struct Rejected {
    Rejection rejection;
    CallResult result;
  };

  [[nodiscard]] static std::string handle(const Artifact& artifact, std::size_t position) {
    return fmt::format("{}#{}", artifact.tool->kind, position + 1);
  }

  [[nodiscard]] std::optional<std::uint32_t> find_handle(std::string_view text) const {
    const std::size_t mark = text.rfind('#');
    if (mark == std::string_view::npos) {
      return std::nullopt;
    }
    std::size_t number = 0;
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data() + mark + 1, end, number);
    if (error != std::errc() || stop != end || number == 0 || number > artifacts.size() ||
        handle(artifacts[number - 1], number - 1) != text) {
      return std::nullopt;
    }
    return static_cast<std::uint32_t>(number - 1);
  }

  [[nodiscard]] std::string known_handles() const {
    if (artifacts.empty()) {
      return "there is no result yet";
    }
    std::vector<std::string> names;
    const std::size_t first =
        artifacts.size() > kShownHandlesMax ? artifacts.size() - kShownHandlesMax : 0;
    for (std::size_t i = first; i < artifacts.size(); ++i) {
      names.push_back(handle(artifacts[i], i));
    }
    return "the results so far are: " + base::join(names, ", ");
  }

  [[nodiscard]] std::expected<Resolved, Rejected> resolve(const ToolSpec& tool,
                                                          const json::Object& arguments) const;
  [[nodiscard]] bool knows_source(const ToolSpec& tool, const json::Object& arguments) const;
  [[nodiscard]] bool names_source(const ToolSpec& tool,
                                  std::string_view parameter,
                                  const json::Value& given) const;
  [[nodiscard]] Outcome perform_declared(const ToolSpec& tool,
                                         const json::Object& arguments,
                                         const Resolved& resolved) const;
  [[nodiscard]] std::expected<Product, Rejected> compute(const ToolSpec& tool,
                                                         const json::Object& arguments,
                                                         const Resolved& resolved) const;
  CallResult perform(std::string_view name, const json::Object& given, Rejection& rejection);
  CallResult keep(const ToolSpec& tool,
                  const json::Object& arguments,
                  const Resolved& resolved,
                  Product product);
  void replace_others(std::size_t position, const json::Value& path);

  // --- The goal ---
  struct Matches {
    std::size_t required = 0;
    std::vector<bool>
        met;  // artifact × required operation: made by it, with its values, from its inputs
    std::vector<bool> met_through;  // the same, or by way of steps that keep the content, which do
                                    // no harm in between

    [[nodiscard]] bool through(std::size_t artifact, std::size_t r) const {
      return met_through[artifact * required + r];
    }
  };

  [[nodiscard]] const json::Value* argument(const Artifact& artifact, std::string_view name) const;
  [[nodiscard]] bool has_values(const Artifact& artifact, const Required& required) const;
  [[nodiscard]] bool meets(const Artifact& made,
                           std::size_t required,
                           const Matches& earlier) const;
  [[nodiscard]] Matches matches() const;
  [[nodiscard]] std::vector<bool> done_among(const std::vector<bool>& chosen) const;
  void add_lineage(std::size_t artifact, std::vector<bool>& chosen) const;
};

std::expected<World::State::Resolved, World::State::Rejected> World::State::resolve(
    const ToolSpec& tool, const json::Object& arguments) const {
  Resolved resolved;
  for (const std::string_view name : tool.handle_parameters()) {
    const json::Value* given = arguments.if_contains(name);
    if (given == nullptr) {
      continue;
    }
    const std::string_view text = json::view(given->get_string());
    const std::optional<std::uint32_t> found = find_handle(text);
    if (!found) {
      return std::unexpected(Rejected{
          .rejection = Rejection::unknown_handle,
          .result = rejected(kInvalidInput,
                             fmt::format("'{}' is '{}', which is not the handle of a result; {}",
                                         name,
                                         base::shortened(text, kShownBytesMax),
                                         known_handles()))});
    }
    const json::Value& property = *property_of(tool, name);
    const std::string_view kind = artifacts[*found].kind;
    if (!accepts_kind(property, kind)) {
      std::vector<std::string> kinds;
      for (const json::Value& item : *accepted_kinds(property)) {
        kinds.emplace_back(json::view(item.get_string()));
      }
      return std::unexpected(
          Rejected{.rejection = Rejection::wrong_kind,
                   .result = rejected(kInvalidInput,
                                      fmt::format("'{}' is '{}', a result of kind {}; it takes: {}",
                                                  name,
                                                  text,
                                                  kind,
                                                  base::join(kinds, ", ")))});
    }
    CHECK(resolved.inputs.size() < kInputsMax);
    resolved.inputs.push_back(*found);
    resolved.contents.push_back(&artifacts[*found].content);
  }
  return resolved;
}

bool World::State::knows_source(const ToolSpec& tool, const json::Object& arguments) const {
  for (const auto& parameter : *json::get_object(tool.parameters, "properties")) {
    if (!json::get_bool(parameter.value(), "x-source").value_or(false)) {
      continue;
    }
    const std::string_view name = parameter.key();
    const json::Value* given = arguments.if_contains(name);
    return given != nullptr && std::ranges::any_of(task.plan, [&](const Step& step) {
             const json::Value* named =
                 step.tool == tool.name ? step.arguments.if_contains(name) : nullptr;
             return named != nullptr && same_value(*named, *given);
           });
  }
  return false;
}

/// Whether the task's plan gives this value to this parameter of the tool, if only by default.
bool World::State::names_source(const ToolSpec& tool,
                                std::string_view parameter,
                                const json::Value& given) const {
  return std::ranges::any_of(task.plan, [&](const Step& step) {
    if (step.tool != tool.name) {
      return false;
    }
    const json::Object arguments = with_defaults(tool, step.arguments);
    const json::Value* named = arguments.if_contains(parameter);
    return named != nullptr && same_value(*named, given);
  });
}

Outcome World::State::perform_declared(const ToolSpec& tool,
                                       const json::Object& arguments,
                                       const Resolved& resolved) const {
  std::vector<DeclaredInput> inputs;
  for (const auto& [name, property] : *json::get_object(tool.parameters, "properties")) {
    const json::Value* given = arguments.if_contains(name);
    if (given == nullptr) {
      continue;
    }
    if (accepted_kinds(property) != nullptr) {
      const Artifact& artifact = artifacts[resolved.inputs[inputs.size()]];
      inputs.push_back({.parameter = name, .value = &calls[artifact.call].result.value});
    } else if (json::get_bool(property, "x-source").value_or(false) &&
               !names_source(tool, name, *given)) {
      return std::unexpected(unknown_source_refusal(tool, name, arguments));
    }
  }
  return Product{.content = {}, .value = declared_result(tool, arguments, inputs)};
}

std::expected<Product, World::State::Rejected> World::State::compute(
    const ToolSpec& tool, const json::Object& arguments, const Resolved& resolved) const {
  const auto built_in = [&] {
    const ToolFunction function = tool_function(tool.name);
    CHECK(function != nullptr);
    return function(ToolInput{.arguments = arguments,
                              .contents = resolved.contents,
                              .source_known = knows_source(tool, arguments)});
  };
  Outcome outcome = tool.declared ? perform_declared(tool, arguments, resolved) : built_in();
  if (!outcome) {
    Refusal& refusal = outcome.error();
    return std::unexpected(
        Rejected{.rejection = refusal.parameter ? Rejection::parameter : Rejection::other,
                 .result = rejected(refusal.code, std::move(refusal.message))});
  }
  return std::move(*outcome);
}

CallResult World::State::keep(const ToolSpec& tool,
                              const json::Object& arguments,
                              const Resolved& resolved,
                              Product product) {
  std::size_t position = 0;
  while (position < artifacts.size() &&
         !(artifacts[position].tool == &tool &&
           same_arguments(with_defaults(tool, calls[artifacts[position].call].arguments),
                          arguments))) {
    ++position;
  }
  CallResult result;
  // The same call again is the same result: calls are pure and effects idempotent.
  if (position < artifacts.size()) {
    result.value = calls[artifacts[position].call].result.value;
  } else {
    Artifact artifact;
    artifact.tool = &tool;
    artifact.kind =
        tool.keeps_content ? artifacts[resolved.inputs.front()].kind : std::string_view(tool.kind);
    artifact.content = std::move(product.content);
    artifact.call = static_cast<std::uint32_t>(calls.size());
    std::ranges::copy(resolved.inputs, artifact.inputs.begin());
    artifact.input_count = static_cast<std::uint8_t>(resolved.inputs.size());
    artifacts.push_back(std::move(artifact));
    result.value = std::move(product.value);
  }
  if (writes_files(tool)) {
    replace_others(position, arguments.at("path"));
  }
  result.artifact = handle(artifacts[position], position);
  return result;
}

void World::State::replace_others(std::size_t position, const json::Value& path) {
  for (std::size_t i = 0; i < artifacts.size(); ++i) {
    if (i == position) {
      artifacts[i].replaced = false;
    } else if (writes_files(*artifacts[i].tool) &&
               same_value(calls[artifacts[i].call].arguments.at("path"), path)) {
      artifacts[i].replaced = true;
    }
  }
}

CallResult World::State::perform(std::string_view name,
                                 const json::Object& given,
                                 Rejection& rejection) {
  const ToolSpec* tool = catalog.find(name);
  if (tool == nullptr) {
    rejection = Rejection::unknown_tool;
    return rejected(kInvalidInput,
                    fmt::format("there is no tool '{}'",
                                base::shortened(base::valid_utf8(name), kShownBytesMax)));
  }
  if (const auto problem = check_arguments(*tool, given)) {
    rejection = Rejection::parameter;
    return rejected(kInvalidInput, problem->message);
  }
  const json::Object arguments = with_defaults(*tool, given);
  const auto resolved = resolve(*tool, arguments);
  if (!resolved) {
    rejection = resolved.error().rejection;
    return resolved.error().result;
  }
  auto product = compute(*tool, arguments, *resolved);
  if (!product) {
    rejection = product.error().rejection;
    return product.error().result;
  }
  const std::size_t nth = valid_calls[static_cast<std::size_t>(tool - catalog.tools().data())]++;
  if (!luck.succeeds(name, nth)) {
    const std::size_t first = tool->error_codes.size() - tool->injected_codes;
    CallResult result;
    result.status = CallStatus::injected;
    result.code = tool->error_codes[first + luck.choose_code(name, nth, tool->injected_codes)];
    result.message = fmt::format("{} Nothing was changed; the same call may be repeated.",
                                 injected_reason(result.code));
    return result;
  }
  return keep(*tool, arguments, *resolved, std::move(*product));
}

const json::Value* World::State::argument(const Artifact& artifact, std::string_view name) const {
  if (const json::Value* given = calls[artifact.call].arguments.if_contains(name)) {
    return given;
  }
  const json::Value* property = property_of(*artifact.tool, name);
  return property == nullptr ? nullptr : json::find(*property, "default");
}

bool World::State::has_values(const Artifact& artifact, const Required& required) const {
  return artifact.tool->name == required.tool &&
         std::ranges::all_of(required.values, [&](const auto& checked) {
           const json::Value* given = argument(artifact, checked.key());
           return given != nullptr && same_value(*given, checked.value());
         });
}

bool World::State::meets(const Artifact& made, std::size_t required, const Matches& earlier) const {
  const Required& wanted = task.goal.required[required];
  const auto inputs = made.input_list();
  if (made.replaced || inputs.size() != wanted.inputs.size() || !has_values(made, wanted)) {
    return false;
  }
  if (inputs.size() == 2) {
    return (earlier.through(inputs[0], wanted.inputs[0]) &&
            earlier.through(inputs[1], wanted.inputs[1])) ||
           (earlier.through(inputs[0], wanted.inputs[1]) &&
            earlier.through(inputs[1], wanted.inputs[0]));
  }
  return inputs.empty() || earlier.through(inputs[0], wanted.inputs[0]);
}

World::State::Matches World::State::matches() const {
  Matches all;
  all.required = task.goal.required.size();
  all.met.resize(artifacts.size() * all.required);
  all.met_through = all.met;
  // Inputs come before what is made of them, so one pass in order of creation is enough.
  for (std::size_t i = 0; i < artifacts.size(); ++i) {
    for (std::size_t r = 0; r < all.required; ++r) {
      const std::size_t cell = i * all.required + r;
      all.met[cell] = meets(artifacts[i], r, all);
      all.met_through[cell] = all.met[cell] || (artifacts[i].tool->keeps_content &&
                                                all.through(artifacts[i].inputs[0], r));
    }
  }
  return all;
}

std::vector<bool> World::State::done_among(const std::vector<bool>& chosen) const {
  std::vector<bool> used(artifacts.size());
  std::vector<bool> done(task.goal.required.size());
  for (std::size_t r = 0; r < done.size(); ++r) {
    for (std::size_t i = 0; i < artifacts.size() && !done[r]; ++i) {
      if (chosen[i] && !used[i] && has_values(artifacts[i], task.goal.required[r])) {
        used[i] = true;
        done[r] = true;
      }
    }
  }
  return done;
}

void World::State::add_lineage(std::size_t artifact, std::vector<bool>& chosen) const {
  if (chosen[artifact]) {
    return;
  }
  chosen[artifact] = true;
  for (const std::uint32_t input : artifacts[artifact].input_list()) {
    add_lineage(input, chosen);
  }
}

bool writes_files(const ToolSpec& tool) {
  return tool.kind == kFileKind && !tool.declared;
}

World::World(const ToolCatalog& catalog, const Task& task, const Luck& luck)
    : state_(std::make_unique<State>(
          State{.catalog = catalog,
                .task = task,
                .luck = luck,
                .calls = {},
                .artifacts = {},
                .valid_calls = std::vector<std::uint32_t>(catalog.tools().size())})) {}

World::~World() = default;
World::World(World&&) noexcept = default;
World& World::operator=(World&&) noexcept = default;

CallResult World::call(std::string_view tool, const json::Object& arguments) {
  CallRecord record;
  record.tool = tool;
  record.arguments = arguments;
  record.result = state_->perform(tool, arguments, record.rejection);
  state_->calls.push_back(std::move(record));
  return state_->calls.back().result;
}

const std::vector<CallRecord>& World::calls() const {
  return state_->calls;
}

std::vector<CallRecord> World::take_calls() {
  return std::move(state_->calls);
}

bool World::goal_met() const {
  const State::Matches matches = state_->matches();
  for (std::size_t i = 0; i < state_->artifacts.size(); ++i) {
    if (matches.met[(i + 1) * matches.required - 1]) {
      return true;
    }
  }
  return false;
}

double World::progress() const {
  if (goal_met()) {
    return 1;
  }
  std::ptrdiff_t best = 0;
  for (std::size_t i = 0; i < state_->artifacts.size(); ++i) {
    std::vector<bool> lineage(state_->artifacts.size());
    state_->add_lineage(i, lineage);
    best = std::max(best, std::ranges::count(state_->done_among(lineage), true));
  }
  return static_cast<double>(best) / static_cast<double>(state_->task.goal.required.size());
}

std::vector<bool> World::required_done() const {
  return state_->done_among(std::vector<bool>(state_->artifacts.size(), true));
}

bool World::clean() const {
  const State::Matches matches = state_->matches();
  for (std::size_t i = 0; i < state_->artifacts.size(); ++i) {
    const Artifact& artifact = state_->artifacts[i];
    bool wanted = !artifact.tool->effect || artifact.replaced;
    for (std::size_t r = 0; r < matches.required && !wanted; ++r) {
      wanted = matches.met[i * matches.required + r];
    }
    if (!wanted) {
      return false;
    }
  }
  return true;
}

}  // namespace sortie::suite
