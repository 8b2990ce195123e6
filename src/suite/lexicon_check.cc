#include "sortie/suite/lexicon_check.h"

#include "sortie/base/json.h"
#include "sortie/base/text.h"
#include "sortie/suite/arguments.h"
#include "sortie/suite/catalog.h"
#include "sortie/suite/lexicon.h"

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

namespace sortie::suite {

namespace {

/// A word of a wording: a literal one or a slot, and the punctuation behind it.
struct Word {
  std::string_view text;         // of a literal word
  const json::Value* property;   // of a slot; nullptr for a literal word
  std::string_view punctuation;  // "", "," …
};

struct Phrase {
  const ToolSpec* tool;
  std::string_view wording;
  std::vector<Word> words;
};

std::vector<Word> words_of(const ToolSpec& tool, std::string_view wording) {
  std::vector<Word> words;
  while (!wording.empty()) {
    const std::size_t space = std::min(wording.find(' '), wording.size());
    std::string_view text = wording.substr(0, space);
    wording.remove_prefix(std::min(space + 1, wording.size()));
    const std::size_t end = std::min(text.find_last_not_of(".,;:") + 1, text.size());
    const std::string_view punctuation = text.substr(end);
    text = text.substr(0, end);
    const bool slot = text.starts_with('{') && text.ends_with('}');
    const json::Value* property =
        slot ? property_of(tool, text.substr(1, text.size() - 2)) : nullptr;
    words.push_back({.text = text, .property = property, .punctuation = punctuation});
  }
  return words;
}

/// Whether a slot could hold this word.
bool takes(const json::Value& property, const json::Value& word) {
  return !check_value("", property, word);
}

/// Whether some choice of `a` is a value of `b`.
bool chooses(const json::Value& a, const json::Value& b) {
  const json::Array* choices = json::get_array(a, "enum");
  return choices != nullptr &&
         std::ranges::any_of(*choices, [&](const json::Value& word) { return takes(b, word); });
}

bool share_a_value(const json::Value& a, const json::Value& b) {
  if (json::find(a, "enum") != nullptr || json::find(b, "enum") != nullptr) {
    return chooses(a, b) || chooses(b, a);
  }
  // Two free slots: a number of both ranges, or a word that is a path, a field and an identifier at
  // once, or an address, which is a path too.
  const double low = std::max(json::get_double(a, "minimum").value_or(0),
                              json::get_double(b, "minimum").value_or(0));
  return std::ranges::any_of(
      std::initializer_list<json::Value>{low, "word", "https://a.example"},
      [&](const json::Value& word) { return takes(a, word) && takes(b, word); });
}

bool may_be_equal(const Word& a, const Word& b) {
  if (a.punctuation != b.punctuation) {
    return false;
  }
  if (a.property == nullptr && b.property == nullptr) {
    return a.text == b.text;
  }
  if (a.property != nullptr && b.property != nullptr) {
    return share_a_value(*a.property, *b.property);
  }
  return a.property != nullptr ? takes(*a.property, json::Value(b.text))
                               : takes(*b.property, json::Value(a.text));
}

std::string slot_problem(const ToolSpec& tool, std::string_view wording) {
  std::vector<std::string_view> slots = slots_of_wording(wording);
  std::vector<std::string_view> expected;
  for (const auto& parameter : *json::get_object(tool.parameters, "properties")) {
    if (accepted_kinds(parameter.value()) == nullptr) {
      expected.push_back(parameter.key());
    }
  }
  std::ranges::sort(slots);
  std::ranges::sort(expected);
  return slots == expected ? ""
                           : fmt::format("{}: '{}' has to hold each of these slots once: {}",
                                         tool.name,
                                         wording,
                                         fmt::join(expected, ", "));
}

/// The problems of one operation's wordings by themselves.
void check_operation(const ToolSpec& tool,
                     const OperationWordings& operation,
                     bool plain,
                     std::vector<std::string>& problems) {
  for (std::size_t i = 0; i < operation.wordings.size(); ++i) {
    const std::string_view wording = operation.wordings[i];
    if (wording.empty() || std::ranges::count(operation.wordings, wording) > 1) {
      problems.push_back(fmt::format("{}: wording {} is '{}', expected {} different ones",
                                     tool.name,
                                     i + 1,
                                     wording,
                                     kWordingsPerClause));
      continue;
    }
    if (std::string problem = slot_problem(tool, wording); !problem.empty()) {
      problems.push_back(std::move(problem));
    }
    std::string words;
    for (const Word& word : words_of(tool, wording)) {
      words += word.property == nullptr ? std::string(word.text) + " " : "";
    }
    if (const auto word = forbidden_word(words); plain && !word.empty()) {
      problems.push_back(fmt::format(
          "{}: '{}' holds the word '{}', which names an operation", tool.name, wording, word));
    }
  }
}

}  // namespace

std::vector<std::string_view> slots_of_wording(std::string_view wording) {
  std::vector<std::string_view> slots;
  while (true) {
    const std::size_t open = wording.find('{');
    const std::size_t close = wording.find('}', open);
    if (open == std::string_view::npos || close == std::string_view::npos) {
      return slots;
    }
    slots.push_back(wording.substr(open + 1, close - open - 1));
    wording.remove_prefix(close + 1);
  }
}

std::vector<std::string> phrase_problems(const ToolCatalog& catalog,
                                         std::span<const OperationWordings> level,
                                         bool plain) {
  std::vector<std::string> problems;
  std::vector<Phrase> phrases;
  for (const ToolSpec& tool : catalog.tools()) {
    const auto operation = std::ranges::find(level, tool.name, &OperationWordings::tool);
    if (operation == level.end()) {
      problems.push_back(tool.name + " has no wordings");
      continue;
    }
    check_operation(tool, *operation, plain, problems);
    for (const std::string_view wording : operation->wordings) {
      phrases.push_back({.tool = &tool, .wording = wording, .words = words_of(tool, wording)});
    }
  }
  for (std::size_t i = 0; i < phrases.size(); ++i) {
    for (std::size_t j = i + 1; j < phrases.size(); ++j) {
      const bool same_slots =
          slots_of_wording(phrases[i].wording) == slots_of_wording(phrases[j].wording);
      if ((phrases[i].tool != phrases[j].tool || !same_slots) &&
          std::ranges::equal(phrases[i].words, phrases[j].words, may_be_equal)) {
        problems.push_back(fmt::format("'{}' of {} and '{}' of {} could be one text",
                                       phrases[i].wording,
                                       phrases[i].tool->name,
                                       phrases[j].wording,
                                       phrases[j].tool->name));
      }
    }
  }
  return problems;
}

}  // namespace sortie::suite
