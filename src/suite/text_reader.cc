#include "sortie/suite/text_reader.h"

#include "sortie/base/json.h"
#include "sortie/suite/arguments.h"
#include "sortie/suite/catalog.h"
#include "sortie/suite/execution.h"
#include "sortie/suite/flaws.h"
#include "sortie/suite/lexicon.h"
#include "sortie/suite/task.h"
#include "sortie/suite/trial.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace sortie::suite {

namespace {

using namespace std::string_view_literals;

constexpr std::size_t kStepsMax = 32;
constexpr std::size_t kReadingsMax = 2;
constexpr double kWholeMax = 9007199254740992;  // 2^53: below, doubles hold every whole number
constexpr auto kClauseSlot = "{clause}"sv;
constexpr auto kAssigns = " = "sv;

/// What has been read so far decides which frames can come next.
enum class Stage : std::uint8_t {
  start,   // nothing yet
  chain,   // one strand of work
  first,   // the first of two strands
  second,  // the second one
  joined,  // the step at which both meet, which may be the last
  tail,    // steps after that
  ended,   // the frame of the last step
};

struct Turn {
  Stage from;
  Frame frame;
  Stage to;
};

constexpr std::array kTurns = {Turn{Stage::start, Frame::opening, Stage::chain},
                               Turn{Stage::chain, Frame::next, Stage::chain},
                               Turn{Stage::chain, Frame::last, Stage::ended},
                               Turn{Stage::start, Frame::first_strand, Stage::first},
                               Turn{Stage::first, Frame::next, Stage::first},
                               Turn{Stage::first, Frame::second_strand, Stage::second},
                               Turn{Stage::second, Frame::next, Stage::second},
                               Turn{Stage::second, Frame::join, Stage::joined},
                               Turn{Stage::joined, Frame::next, Stage::tail},
                               Turn{Stage::joined, Frame::last, Stage::ended},
                               Turn{Stage::tail, Frame::next, Stage::tail},
                               Turn{Stage::tail, Frame::last, Stage::ended}};

bool take(std::string_view& text, std::string_view literal) {
  if (!text.starts_with(literal)) {
    return false;
  }
  text.remove_prefix(literal.size());
  return true;
}

/// The end of a sentence: the end of the text, or a space and more of it.
bool take_end(std::string_view& text) {
  return text.empty() || (text.size() > 1 && take(text, " "));
}

/// A value ends where a space or the sentence's own punctuation follows.
std::string_view take_word(std::string_view& text) {
  std::string_view word = text.substr(0, text.find(' '));
  const std::size_t last = word.find_last_not_of(".,;:");
  word = last == std::string_view::npos ? std::string_view() : word.substr(0, last + 1);
  text.remove_prefix(word.size());
  return word;
}

std::optional<json::Value> number_of(std::string_view word) {
  double number = 0;
  const char* end = word.data() + word.size();
  const auto [stop, error] = std::from_chars(word.data(), end, number);
  // Only the way in which numbers are written: "1e3" and "007" are words.
  if (error != std::errc() || stop != end || json::number_text(number) != word) {
    return std::nullopt;
  }
  const bool whole = std::floor(number) == number && std::abs(number) < kWholeMax;
  return whole ? json::Value(static_cast<std::int64_t>(number)) : json::Value(number);
}

/// A word as the value that a property takes, a number rather than a text where it takes both.
std::optional<json::Value> typed_value(std::string_view name,
                                       const json::Value& property,
                                       std::string_view word) {
  std::vector<json::Value> candidates;
  if (auto number = number_of(word)) {
    candidates.push_back(std::move(*number));
  }
  if (word == "true" || word == "false") {
    candidates.emplace_back(word == "true");
  }
  candidates.emplace_back(word);
  for (json::Value& value : candidates) {
    if (!check_value(name, property, value)) {
      return std::move(value);
    }
  }
  return std::nullopt;
}

/// A tool with its values, and the text behind them.
struct Clause {
  const ToolSpec* tool = nullptr;
  json::Object values;
  std::string_view rest;

  bool take_value(std::string_view name) {
    const json::Value* property = property_of(*tool, name);
    const std::string_view word = take_word(rest);
    if (property == nullptr || accepted_kinds(*property) != nullptr || word.empty() ||
        values.contains(name)) {
      return false;
    }
    auto value = typed_value(name, *property, word);
    if (value) {
      values[name] = std::move(*value);
    }
    return value.has_value();
  }

  /// "name = value, name = value"
  bool take_arguments() {
    do {
      const std::string_view name = rest.substr(0, rest.find(' '));
      rest.remove_prefix(name.size());
      if (!take(rest, kAssigns) || !take_value(name)) {
        return false;
      }
    } while (take(rest, ", "));
    return true;
  }

  bool take_slot(const ToolCatalog& catalog, std::string_view name) {
    if (name == "tool") {
      tool = catalog.find(take_word(rest));
      return tool != nullptr;
    }
    return name == "arguments" ? take_arguments() : take_value(name);
  }
};

class Reader {
 public:
  Reader(const ToolCatalog& catalog, Difficulty difficulty)
      : catalog_(catalog), difficulty_(difficulty) {}

  std::vector<std::vector<Step>> run(std::string_view text) {
    read_on(text, Stage::start);
    return std::move(readings_);
  }

 private:
  void read_on(std::string_view text, Stage stage);
  void read_turn(std::string_view text, const Turn& turn);
  [[nodiscard]] std::vector<Clause> clauses_at(std::string_view text) const;
  void match(const ToolSpec* tool,
             const Wordings& wordings,
             std::string_view text,
             std::vector<Clause>& out) const;
  [[nodiscard]] std::optional<Step> make_step(const Clause& clause, Frame frame) const;
  void keep();

  const ToolCatalog& catalog_;
  Difficulty difficulty_;
  std::vector<Step> steps_;
  std::size_t first_end_ = 0;  // the last step of the first strand
  std::vector<std::vector<Step>> readings_;
};

void Reader::match(const ToolSpec* tool,
                   const Wordings& wordings,
                   std::string_view text,
                   std::vector<Clause>& out) const {
  for (std::string_view wording : wordings) {
    Clause clause{.tool = tool, .values = {}, .rest = text};
    bool fits = true;
    while (fits && !wording.empty()) {
      const std::size_t open = std::min(wording.find('{'), wording.size());
      fits = take(clause.rest, wording.substr(0, open));
      wording.remove_prefix(open);
      const std::size_t close = wording.find('}');
      if (fits && close != std::string_view::npos) {
        fits = clause.take_slot(catalog_, wording.substr(1, close - 1));
        wording.remove_prefix(close + 1);
      }
    }
    if (fits) {
      out.push_back(std::move(clause));
    }
  }
}

std::vector<Clause> Reader::clauses_at(std::string_view text) const {
  std::vector<Clause> out;
  if (difficulty_ == Difficulty::very_easy) {
    match(nullptr, wordings_of("", difficulty_), text, out);
    return out;
  }
  for (const ToolSpec& tool : catalog_.tools()) {
    if (has_wordings(tool.name)) {
      match(&tool, wordings_of(tool.name, difficulty_), text, out);
    }
  }
  return out;
}

/// A step works on the one before it; the first of a strand on nothing, the join on both ends.
std::optional<Step> Reader::make_step(const Clause& clause, Frame frame) const {
  std::vector<std::size_t> inputs;
  if (frame == Frame::join) {
    inputs = {first_end_, steps_.size() - 1};
  } else if (frame == Frame::next || frame == Frame::last) {
    inputs = {steps_.size() - 1};
  }
  if (clause.tool->handle_parameters().size() < inputs.size()) {
    return std::nullopt;
  }
  Step step{.tool = clause.tool->name, .arguments = {}, .reason = {}};
  std::size_t used = 0;
  for (const auto& [name, property] : *json::get_object(clause.tool->parameters, "properties")) {
    if (accepted_kinds(property) == nullptr) {
      if (const json::Value* value = clause.values.if_contains(name)) {
        step.arguments[name] = *value;
      }
    } else if (used < inputs.size()) {
      step.arguments[name] = make_reference(inputs[used++]);
    }
  }
  return step;
}

void Reader::read_turn(std::string_view text, const Turn& turn) {
  for (const std::string_view frame : frames(turn.frame, difficulty_)) {
    const std::size_t slot = frame.find(kClauseSlot);
    std::string_view inner = text;
    if (!take(inner, frame.substr(0, slot))) {
      continue;
    }
    for (Clause& clause : clauses_at(inner)) {
      if (!take(clause.rest, frame.substr(slot + kClauseSlot.size())) || !take_end(clause.rest)) {
        continue;
      }
      auto step = make_step(clause, turn.frame);
      if (!step) {
        continue;
      }
      const std::size_t first_end = first_end_;
      if (turn.frame == Frame::second_strand) {
        first_end_ = steps_.size() - 1;
      }
      steps_.push_back(std::move(*step));
      read_on(clause.rest, turn.to);
      steps_.pop_back();
      first_end_ = first_end;
    }
  }
}

void Reader::keep() {
  const bool known = std::ranges::any_of(
      readings_, [&](const std::vector<Step>& reading) { return same_plan(reading, steps_); });
  if (!known) {
    readings_.push_back(steps_);
  }
}

void Reader::read_on(std::string_view text, Stage stage) {
  if (readings_.size() == kReadingsMax) {
    return;
  }
  if (text.empty()) {
    if (stage == Stage::ended || stage == Stage::joined) {
      keep();
    }
    return;
  }
  if (difficulty_ == Difficulty::very_hard) {
    for (const std::string_view aside : asides()) {
      std::string_view rest = text;
      if (take(rest, aside) && take_end(rest)) {
        read_on(rest, stage);
      }
    }
  }
  if (steps_.size() == kStepsMax) {
    return;
  }
  for (const Turn& turn : kTurns) {
    if (turn.from == stage) {
      read_turn(text, turn);
    }
  }
}

}  // namespace

std::vector<std::vector<Step>> readings(const ToolCatalog& catalog,
                                        std::string_view text,
                                        Difficulty difficulty) {
  return Reader(catalog, difficulty).run(text);
}

std::optional<std::vector<Step>> read_text(const ToolCatalog& catalog,
                                           std::string_view text,
                                           Difficulty difficulty) {
  std::vector<std::vector<Step>> found = readings(catalog, text, difficulty);
  if (found.size() != 1) {
    return std::nullopt;
  }
  return std::move(found.front());
}

}  // namespace sortie::suite
