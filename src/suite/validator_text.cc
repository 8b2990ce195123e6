#include "sortie/base/json.h"
#include "sortie/suite/catalog.h"
#include "sortie/suite/lexicon.h"
#include "sortie/suite/plan_draft.h"
#include "sortie/suite/task.h"
#include "sortie/suite/text_reader.h"
#include "sortie/suite/trial.h"
#include "sortie/suite/validator_rules.h"

#include <algorithm>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

// Rules that read texts.

namespace sortie::suite {

namespace {

bool is_value_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-' || c == '/';
}

bool is_symbol_char(char c) {
  return c == '<' || c == '>' || c == '=' || c == '!';
}

/// Whether two neighbours would belong to one word, or to one sign of comparison.
bool runs_on(char a, char b) {
  return (is_value_char(a) && is_value_char(b)) || (is_symbol_char(a) && is_symbol_char(b));
}

/// Where `value` stands in `text` as a word of its own, not as part of a longer one.
std::size_t find_value(std::string_view text, std::string_view value, std::size_t from = 0) {
  for (std::size_t at = text.find(value, from); at != std::string_view::npos;
       at = text.find(value, at + 1)) {
    const std::size_t end = at + value.size();
    const bool dot_before = at > 1 && text[at - 1] == '.' && is_value_char(text[at - 2]);
    const bool starts = at == 0 || (!dot_before && !runs_on(text[at - 1], value.front()));
    const bool ends = end == text.size() || !runs_on(value.back(), text[end]);
    // A dot ends a sentence unless a word goes on behind it: "2.5", "name.csv".
    const bool dot_inside =
        end + 1 < text.size() && text[end] == '.' && is_value_char(text[end + 1]);
    if (starts && ends && !dot_inside) {
      return at;
    }
  }
  return std::string_view::npos;
}

/// The checked values of a task as texts, longest first.
std::vector<std::string> checked_values(const Task& task) {
  std::vector<std::string> values;
  for (const Required& required : task.goal.required) {
    for (const auto& [name, value] : required.values) {
      values.push_back(verbatim(value));
    }
  }
  std::ranges::stable_sort(values, std::ranges::greater(), &std::string::size);
  return values;
}

void check_verbatim(const TaskCheck& check, Difficulty difficulty) {
  for (const std::string& value : checked_values(check.task)) {
    if (find_value(check.task.text(difficulty), value) == std::string_view::npos) {
      check.add(
          "verbatim",
          fmt::format("the text at {} does not hold the value '{}'", to_string(difficulty), value));
    }
  }
}

void check_names(const TaskCheck& check, Difficulty difficulty) {
  for (const ToolSpec& tool : check.catalog.tools()) {
    // As a word of its own: of another suite's tools one may have the name "order".
    const bool named = find_value(check.task.text(difficulty), tool.name) != std::string_view::npos;
    const bool wanted =
        difficulty == Difficulty::very_easy &&
        std::ranges::find(check.task.plan, tool.name, &Step::tool) != check.task.plan.end();
    if (named != wanted) {
      check.add("names",
                fmt::format("the text at {} {} the tool {}",
                            to_string(difficulty),
                            named ? "must not name" : "has to name",
                            tool.name));
    }
  }
}

void check_vocabulary(const TaskCheck& check, Difficulty difficulty) {
  const std::string masked = masked_text(check.task, check.task.text(difficulty));
  const std::string_view word = forbidden_word(masked);
  if (difficulty >= Difficulty::medium && !word.empty()) {
    check.add("vocabulary",
              fmt::format("the text at {} holds the word '{}'", to_string(difficulty), word));
  }
}

void check_decodable(const TaskCheck& check, Difficulty difficulty) {
  const auto found = readings(check.catalog, check.task.text(difficulty), difficulty);
  if (found.size() != 1) {
    check.add("decodable",
              fmt::format("the text at {} {}",
                          to_string(difficulty),
                          found.empty() ? "is not of the level's lexicon"
                                        : "can be read in more than one way"));
  } else if (!same_goal(check.catalog, goal_of(check.catalog, found.front()), check.task.goal)) {
    check.add("decodable",
              fmt::format("the text at {} asks for another goal", to_string(difficulty)));
  }
}

}  // namespace

void check_texts(const TaskCheck& check) {
  for (const Difficulty difficulty : kDifficulties) {
    if (check.options.lexicon) {
      check_decodable(check, difficulty);
      check_vocabulary(check, difficulty);
    }
    // A suite of one's own may lack levels.
    if (check.options.lexicon || !check.task.text(difficulty).empty()) {
      check_names(check, difficulty);
      check_verbatim(check, difficulty);
    }
  }
}

std::string masked_text(const Task& task, const std::string& text) {
  std::string out = text;
  for (const std::string& value : checked_values(task)) {
    std::size_t at = find_value(out, value);
    while (at != std::string::npos) {
      out.replace(at, value.size(), "_");
      at = find_value(out, value, at + 1);
    }
  }
  return out;
}

}  // namespace sortie::suite
