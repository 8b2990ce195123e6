#include "sortie/suite/lexicon.h"

#include "sortie/base/json.h"
#include "sortie/base/text.h"
#include "sortie/suite/arguments.h"
#include "sortie/suite/catalog.h"
#include "sortie/suite/trial.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace sortie::suite {

namespace {

/// Slots of a wording, and the wording with every slot as "{}".
std::multiset<std::string> slots(std::string_view wording, std::string* frame = nullptr) {
  std::multiset<std::string> out;
  std::string rest;
  while (true) {
    const std::size_t open = wording.find('{');
    if (open == std::string_view::npos) {
      break;
    }
    const std::size_t close = wording.find('}', open);
    out.emplace(wording.substr(open + 1, close - open - 1));
    rest += std::string(wording.substr(0, open)) + "{}";
    wording.remove_prefix(close + 1);
  }
  if (frame != nullptr) {
    *frame = rest + std::string(wording);
  }
  return out;
}

constexpr std::array kLexicons = {Difficulty::easy, Difficulty::medium, Difficulty::hard};
constexpr std::array kFrames = {Frame::opening,
                                Frame::next,
                                Frame::last,
                                Frame::first_strand,
                                Frame::second_strand,
                                Frame::join};

}  // namespace

TEST(Lexicon, every_wording_has_a_slot_for_every_value_and_no_other) {
  for (const ToolSpec& tool : ToolCatalog::pilot().tools()) {
    std::multiset<std::string> expected;
    for (const auto& [name, property] : *json::get_object(tool.parameters, "properties")) {
      if (accepted_kinds(property) == nullptr) {
        expected.emplace(name);
      }
    }
    for (const Difficulty level : kLexicons) {
      for (const std::string_view wording : wordings_of(tool.name, level)) {
        EXPECT_EQ(slots(wording), expected) << wording;
      }
    }
  }
}

TEST(Lexicon, no_phrase_belongs_to_two_operations_or_two_levels) {
  std::map<std::string, std::string> owners;
  for (const ToolSpec& tool : ToolCatalog::pilot().tools()) {
    for (const Difficulty level : kLexicons) {
      for (const std::string_view wording : wordings_of(tool.name, level)) {
        std::string frame;
        slots(wording, &frame);
        const std::string owner =
            tool.name + " " + std::string(to_string(level)) + " " + std::string(wording);
        const auto [twin, fresh] = owners.emplace(frame, owner);
        EXPECT_TRUE(fresh) << owner << " and " << twin->second;
      }
    }
  }
}

TEST(Lexicon, from_medium_on_no_phrase_frame_or_aside_has_a_stem_of_an_operation) {
  const auto check = [](std::string_view text) {
    std::string frame;
    slots(text, &frame);
    EXPECT_EQ(forbidden_word(frame), "") << text;
  };
  for (const ToolSpec& tool : ToolCatalog::pilot().tools()) {
    for (const Difficulty level : {Difficulty::medium, Difficulty::hard}) {
      std::ranges::for_each(wordings_of(tool.name, level), check);
    }
  }
  for (const Frame frame : kFrames) {
    std::ranges::for_each(frames(frame, Difficulty::medium), check);
    std::ranges::for_each(frames(frame, Difficulty::hard), check);
  }
  std::ranges::for_each(asides(), check);
}

TEST(Lexicon, easy_names_every_operation) {
  for (const ToolSpec& tool : ToolCatalog::pilot().tools()) {
    for (const std::string_view wording : wordings_of(tool.name, Difficulty::easy)) {
      const std::string stem = tool.operation.substr(0, 3);
      EXPECT_NE(wording.find(stem), std::string_view::npos) << wording;
    }
  }
}

TEST(Lexicon, the_forbidden_stems_are_those_of_tool_names_and_of_the_words_that_easy_has_for_them) {
  for (const ToolSpec& tool : ToolCatalog::pilot().tools()) {
    for (const std::string_view part : base::split(tool.name, '_')) {
      EXPECT_EQ(forbidden_word(part), part) << tool.name;
    }
    // What all six wordings of an operation share names it, or a value: its parameter or unit.
    std::map<std::string, std::size_t> counts;
    for (const std::string_view wording : wordings_of(tool.name, Difficulty::easy)) {
      std::string plain;
      slots(wording, &plain);
      std::ranges::replace_if(plain, [](char c) { return c < 'a' || c > 'z'; }, ' ');
      const auto words = base::split(plain, ' ');
      for (const std::string_view word : std::set(words.begin(), words.end())) {
        ++counts[std::string(word)];
      }
    }
    for (const auto& [word, count] : counts) {
      const bool value = property_of(tool, word) != nullptr || word == "steps";
      if (count == kWordingsPerClause && word.size() > 2 && word != "the" && !value) {
        EXPECT_EQ(forbidden_word(word), word) << tool.name;
      }
    }
  }
}

TEST(Lexicon, asides_hold_no_value_and_no_wording) {
  for (const std::string_view aside : asides()) {
    EXPECT_TRUE(std::ranges::none_of(aside, [](char c) {
      return (c >= '0' && c <= '9') || c == '{' || c == '/';
    })) << aside;
  }
}

TEST(Lexicon, every_frame_has_one_slot_for_the_clause) {
  for (const Frame frame : kFrames) {
    for (const Difficulty level : kDifficulties) {
      std::set<std::string_view> distinct;
      for (const std::string_view wording : frames(frame, level)) {
        EXPECT_EQ(slots(wording), std::multiset<std::string>{"clause"}) << wording;
        EXPECT_TRUE(distinct.insert(wording).second) << wording;
      }
    }
  }
}

TEST(Lexicon, slots_are_filled_with_values_verbatim) {
  const json::Object values = {{"a", "x/y.csv"}, {"b", 2.5}, {"c", 30.0}};
  EXPECT_EQ(filled("{a} and {b}, {c}{a}", values), "x/y.csv and 2.5, 30x/y.csv");
  EXPECT_EQ(filled("nothing", values), "nothing");
}

TEST(Lexicon, a_forbidden_word_is_found_in_any_case_at_the_start_of_a_word_only) {
  EXPECT_EQ(forbidden_word("Please Reading it"), "Reading");
  EXPECT_EQ(forbidden_word("a bread basket"), "");
  EXPECT_EQ(forbidden_word("the catalog"), "");
  EXPECT_EQ(forbidden_word("(post)"), "post");
  EXPECT_EQ(forbidden_word(""), "");
}

}  // namespace sortie::suite
