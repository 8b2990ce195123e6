#include "sortie/suite/lexicon.h"

#include "sortie/base/check.h"
#include "sortie/base/json.h"
#include "sortie/base/text.h"
#include "sortie/suite/trial.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace sortie::suite {

namespace {

using namespace std::string_view_literals;

constexpr Wordings kToolWordings = {"use {tool} with {arguments}",
                                    "call {tool} with {arguments}",
                                    "run {tool} with {arguments}",
                                    "apply {tool} with {arguments}",
                                    "make a call of {tool} with {arguments}",
                                    "let {tool} do its work with {arguments}"};

// Instructions: very_easy, easy and medium.
constexpr Wordings kOpening = {"First, {clause}.",
                               "To begin with, {clause}.",
                               "Start as follows: {clause}.",
                               "At the start, {clause}.",
                               "As a first step, {clause}.",
                               "Begin here: {clause}."};
constexpr Wordings kNext = {"Then {clause}.",
                            "Next, {clause}.",
                            "After that, {clause}.",
                            "Afterwards, {clause}.",
                            "From there, {clause}.",
                            "Once this is done, {clause}."};
constexpr Wordings kLast = {"Finally, {clause}.",
                            "To finish, {clause}.",
                            "Lastly, {clause}.",
                            "As the last step, {clause}.",
                            "In the end, {clause}.",
                            "To close, {clause}."};
constexpr Wordings kFirstStrand = {
    "There are two strands of work. For the first strand, {clause}.",
    "The work has two strands. In the first strand, {clause}.",
    "Two strands lead to the result. On the first strand, {clause}.",
    "Two strands are needed. As to the first strand, {clause}.",
    "Follow two strands. On the first strand, {clause}.",
    "This takes two strands. Open the first strand like this: {clause}."};
constexpr Wordings kSecondStrand = {"For the second strand, start anew: {clause}.",
                                    "In the second strand, {clause}.",
                                    "Independently, for the second strand, {clause}.",
                                    "Open the second strand like this: {clause}.",
                                    "On the second strand, {clause}.",
                                    "Separately, as the second strand, {clause}."};
constexpr Wordings kJoin = {"Now bring both strands together: {clause}.",
                            "With the ends of both strands together, {clause}.",
                            "Use both strands for the following: {clause}.",
                            "Join the two strands as follows: {clause}.",
                            "Both strands meet here: {clause}.",
                            "Taking the two strands together, {clause}."};

// Statements: hard and very_hard.
constexpr Wordings kHardOpening = {"This is the situation: {clause}.",
                                   "To set the scene, {clause}.",
                                   "For background, {clause}.",
                                   "The case is this: {clause}.",
                                   "It begins like this: {clause}.",
                                   "As you may know, {clause}."};
constexpr Wordings kHardNext = {"On that basis, {clause}.",
                                "From there, {clause}.",
                                "Beyond that, {clause}.",
                                "What is more, {clause}.",
                                "That being so, {clause}.",
                                "Building on this, {clause}."};
constexpr Wordings kHardLast = {"In the end, {clause}.",
                                "When all is said and done, {clause}.",
                                "To round it off, {clause}.",
                                "At the close, {clause}.",
                                "Ultimately, {clause}.",
                                "With that behind us, {clause}."};
constexpr Wordings kHardFirstStrand = {
    "Two lines of work feed this. In the first line, {clause}.",
    "There are two sides to it. On the first side, {clause}.",
    "Two teams contribute. For the first team, {clause}.",
    "Two matters meet here. As to the first matter, {clause}.",
    "Two threads run side by side. On the first thread, {clause}.",
    "The task rests on two pillars. Regarding the first pillar, {clause}."};
constexpr Wordings kHardSecondStrand = {"In the second line, apart from the first, {clause}.",
                                        "On the second side, {clause}.",
                                        "For the second team, {clause}.",
                                        "As to the second matter, {clause}.",
                                        "On the second thread, {clause}.",
                                        "Regarding the second pillar, {clause}."};
constexpr Wordings kHardJoin = {"Where both meet, {clause}.",
                                "With the two put together, {clause}.",
                                "Out of both combined, {clause}.",
                                "Once both are side by side, {clause}.",
                                "Both lead to the same place, where {clause}.",
                                "Taking the two as one, {clause}."};

constexpr std::array kAsides = {
    "The coffee machine on the third floor has been replaced, to everybody's relief."sv,
    "A visitor from the head office praised the new meeting rooms."sv,
    "The annual summer party has been moved to the lake this time."sv,
    "Somebody suggested a shorter name for the project, but nobody liked it."sv,
    "The train strike made half of the team arrive late."sv,
    "A similar request came up two years ago and was never followed up."sv,
    "The window next to the printer still does not close properly."sv,
    "Our colleague in the other building is on parental leave until autumn."sv,
    "The budget talks were long, and the sandwiches were gone early."sv,
    "An intern asked why things are called the way they are, and nobody knew."sv,
    "The old office plant has finally been given a bigger pot."sv,
    "People keep mixing up the two elevators, which is understandable."sv,
    "There was a fire drill in the middle of the discussion."sv,
    "The new chairs are expected any week now."sv,
    "A newspaper once wrote about us, though the photo showed another company."sv,
    "The weather has been remarkably dull lately."sv,
    "The parking situation remains difficult on market days."sv,
    "Someone left an umbrella in the lobby and has not come back for it."sv};

constexpr std::array kForbiddenStems = {
    "file"sv,      "operat"sv,   "data"sv,    "process"sv,  "network"sv,  "comput"sv, "integrat"sv,
    "utilit"sv,    "read"sv,     "scan"sv,    "convert"sv,  "compress"sv, "writ"sv,   "pars"sv,
    "transform"sv, "validat"sv,  "filter"sv,  "aggregat"sv, "fetch"sv,    "post"sv,   "monitor"sv,
    "rout"sv,      "calculat"sv, "predict"sv, "analy"sv,    "simulat"sv,  "optimi"sv, "authentic"sv,
    "map"sv,       "queue"sv,    "schedul"sv, "connect"sv,  "log"sv,      "cach"sv,   "track"sv,
    "help"sv,      "notif"sv};

bool is_statement(Difficulty difficulty) {
  return difficulty == Difficulty::hard || difficulty == Difficulty::very_hard;
}

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

}  // namespace

bool has_wordings(std::string_view tool) {
  return std::ranges::find(easy_wordings(), tool, &OperationWordings::tool) !=
         easy_wordings().end();
}

const Wordings& wordings_of(std::string_view tool, Difficulty difficulty) {
  if (difficulty == Difficulty::very_easy) {
    return kToolWordings;
  }
  const auto level = difficulty == Difficulty::easy     ? easy_wordings()
                     : difficulty == Difficulty::medium ? medium_wordings()
                                                        : hard_wordings();
  const auto found = std::ranges::find(level, tool, &OperationWordings::tool);
  CHECK(found != level.end());
  return found->wordings;
}

const Wordings& frames(Frame frame, Difficulty difficulty) {
  const bool statement = is_statement(difficulty);
  switch (frame) {
    case Frame::opening:
      return statement ? kHardOpening : kOpening;
    case Frame::next:
      return statement ? kHardNext : kNext;
    case Frame::last:
      return statement ? kHardLast : kLast;
    case Frame::first_strand:
      return statement ? kHardFirstStrand : kFirstStrand;
    case Frame::second_strand:
      return statement ? kHardSecondStrand : kSecondStrand;
    case Frame::join:
      break;
  }
  return statement ? kHardJoin : kJoin;
}

std::span<const std::string_view> asides() {
  return kAsides;
}

std::span<const std::string_view> forbidden_stems() {
  return kForbiddenStems;
}

std::string_view forbidden_word(std::string_view text) {
  std::size_t begin = 0;
  while (begin < text.size()) {
    if (!is_letter(text[begin])) {
      ++begin;
      continue;
    }
    std::size_t end = begin;
    while (end < text.size() && is_letter(text[end])) {
      ++end;
    }
    const std::string word = base::to_lower(text.substr(begin, end - begin));
    if (std::ranges::any_of(kForbiddenStems,
                            [&](std::string_view stem) { return word.starts_with(stem); })) {
      return text.substr(begin, end - begin);
    }
    begin = end;
  }
  return "";
}

std::string verbatim(const json::Value& value) {
  return value.is_string() ? std::string(json::view(value.get_string())) : json::canonical(value);
}

std::string filled(std::string_view wording, const json::Object& values) {
  std::string out;
  while (!wording.empty()) {
    const std::size_t open = wording.find('{');
    const std::size_t close = wording.find('}', open);
    if (open == std::string_view::npos || close == std::string_view::npos) {
      break;
    }
    out += wording.substr(0, open);
    const json::Value* value = values.if_contains(wording.substr(open + 1, close - open - 1));
    CHECK(value != nullptr);
    out += verbatim(*value);
    wording.remove_prefix(close + 1);
  }
  out += wording;
  return out;
}

}  // namespace sortie::suite
