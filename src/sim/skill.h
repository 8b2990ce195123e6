#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// How a simulated model errs, as data: `skill:` in a provider file, and the named profiles of
// skills.yaml. docs/reference/simulator.md describes every field.

namespace sortie::sim {

/// A log-normal law: exp(N(ln median, sigma)). Median 0 is the constant 0.
struct LogNormal {
  double median = 0;
  double sigma = 0;

  bool operator==(const LogNormal&) const = default;
};

/// How an answer spells its commands. A model's usual form is the one that was asked for.
enum class Form : std::uint8_t {
  plain,
  no_command,  // prose alone
  unclosed_tag,
  code_fence,
  unreadable,  // the tag with words instead of a call
  single_quotes,
  trailing_comma,
  python_call,  // name({…})
  bare_json,    // the object without its tag
  qwen,         // <tool_call>{…}</tool_call>
  mistral,      // [TOOL_CALLS][{…}]
  llama,        // <|python_tag|>{…}
  deepseek,     // <｜tool▁call▁begin｜>…
  structured,   // the field tool_calls, although no function was offered
};

inline constexpr std::size_t kForms = 14;

[[nodiscard]] std::string_view to_string(Form form);

/// Per turn and form; what is left of 1 is plain. The sum is at most 1.
struct FormChances {
  std::array<double, kForms> of{};

  [[nodiscard]] double& operator[](Form form) { return of.at(static_cast<std::size_t>(form)); }

  /// The form that a number in [0, 1) falls on.
  [[nodiscard]] Form draw(double whether, double which) const;
  [[nodiscard]] double total() const;

  bool operator==(const FormChances&) const = default;
};

/// A chance per answer, from the `from`-th answer of a dialogue on.
struct Chance {
  double chance = 0;
  std::uint32_t from = 1;

  bool operator==(const Chance&) const = default;
};

/// What a misread step is taken for: shares of 1.
struct Mistakes {
  double wrong_value = 0.6;
  double wrong_tool = 0.4;
  double wrong_order = 0;   // tried before what it needs
  double stale_handle = 0;  // given another result, or one that does not exist

  bool operator==(const Mistakes&) const = default;
};

/// What follows an injected failure: shares of 1.
struct Retry {
  double same = 1;
  double other_arguments = 0;
  double other_tool = 0;
  double give_up = 0;

  bool operator==(const Retry&) const = default;
};

/// What follows a rejected call whose mistake the model does not see: shares of 1.
struct AfterRejection {
  double again = 0.6;
  double give_up = 0.4;
  double go_on = 0;  // as if the step were done

  bool operator==(const AfterRejection&) const = default;
};

/// What the model thinks before it answers.
struct Reasoning {
  enum class Place : std::uint8_t {
    field,      // reasoning_content
    think_tag,  // <think>…</think> before the answer
  };

  LogNormal tokens;  // 0: none
  Place place = Place::field;
  double command_inside = 0;  // per turn: the command stands there alone

  bool operator==(const Reasoning&) const = default;
};

/// The retry habit of the single number `persistence`: the same call again with this chance.
[[nodiscard]] Retry persisting(double persistence);

/// The format discipline of the single number `slip`: prose alone, an unclosed tag or a code fence.
[[nodiscard]] FormChances slipping(double slip);

/// How a simulated model errs. Numbers are probabilities unless they say otherwise; `perfect` never
/// errs.
struct Skill {
  // Knowing the next step.
  double misread = 0;            // per step and trial, no plan in view, difficulty easy
  double misread_with_plan = 0;  // the same with the plan in view
  Mistakes mistakes;
  double gullibility = 0;    // per trial: takes a flawed plan literally
  double search = 0;         // per step, no plan in view: searches for the tool first
  double lookup = 0;         // per step, no plan in view: reads the tool's description first
  std::uint32_t dawdle = 0;  // answers spent on looking around before each new step

  // What it does about failures.
  double repair = 1;  // after a rejected call: sees the mistake
  AfterRejection rejected;
  Retry retry;
  double loop = 0;          // per trial: at some step repeats one rejected call for ever
  double early_finish = 0;  // per turn, from the second on: finishes although steps remain

  // How it writes.
  double batching = 0;  // per turn: two calls at once where two are ready
  double rushing = 0;   // per turn: all that is left at once, with handles it has not seen yet
  FormChances format;
  Chance empty;      // no text at all
  Chance refusal;    // and from then on for ever
  Chance truncated;  // cut by the token limit
  Reasoning reasoning;
  LogNormal verbosity{.median = 30, .sigma = 0.5};  // tokens around the command

  bool operator==(const Skill&) const = default;

  /// The one-number family: 1 is perfect, 0 is hopeless, monotone in between.
  [[nodiscard]] static Skill of(double level);

  /// A profile of skills.yaml, such as "perfect" or "qwen2.5-7b-instruct".
  [[nodiscard]] static std::optional<Skill> named(std::string_view name);
  [[nodiscard]] static std::vector<std::string> names();
};

}  // namespace sortie::sim
