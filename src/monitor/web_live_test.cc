#include "sortie/monitor/web_live.h"

#include "sortie/monitor/status_json.h"

#include <string>

#include <gtest/gtest.h>

namespace sortie::monitor {
namespace {

/// What web/src/live.ts does.
json::Value merged(const json::Value& state, const json::Value& patch) {
  if (!patch.is_object()) {
    return patch;
  }
  if (state.is_array()) {
    json::Value copy = state;
    for (const auto& member : patch.get_object()) {
      json::Value& place = copy.get_array()[std::stoul(std::string(member.key()))];
      place = merged(place, member.value());
    }
    return copy;
  }
  json::Value copy = state.is_object() ? state : json::Value(json::Object());
  for (const auto& member : patch.get_object()) {
    const json::Value* old = copy.get_object().if_contains(member.key());
    copy.get_object()[member.key()] =
        old == nullptr ? member.value() : merged(*old, member.value());
  }
  return copy;
}

json::Value parsed(const char* text) {
  return json::parse(text).value();
}

TEST(Difference, holds_only_what_changed_and_merges_to_the_same) {
  const json::Value from = parsed(
      R"({"a": 1, "b": {"c": [1, 2], "d": null}, "e": [{"x": 1, "y": 2}, {"x": 3, "y": 4}]})");
  const json::Value to = parsed(
      R"({"a": 1, "b": {"c": [1, 2, 3], "d": 5}, "e": [{"x": 1, "y": 2}, {"x": 9, "y": 4}]})");
  EXPECT_EQ(difference(from, from), std::nullopt);
  const json::Value patch = difference(from, to).value();
  EXPECT_EQ(patch, parsed(R"({"b": {"c": [1, 2, 3], "d": 5}, "e": {"1": {"x": 9}}})"));
  EXPECT_EQ(merged(from, patch), to);
  EXPECT_EQ(merged(to, difference(to, from).value()), from);
}

/// A big run: 10,000 open dialogues, 20 models over 100 routes, 200 limits, everything in motion.
engine::RunStatus big(std::uint64_t step) {
  engine::RunStatus status;
  status.run = "big";
  status.elapsed = std::chrono::seconds(step);
  status.turns = step * 5000;
  status.in_flight = 5000 + step;
  status.waiting = 5000 - step;
  status.input_tokens = static_cast<std::int64_t>(step * 4'000'000);
  for (std::uint64_t i = 0; i < 20; ++i) {
    status.models.push_back({.model = "vendor/model-" + std::to_string(i),
                             .planned = 50'000,
                             .scored = step * 40 + i,
                             .succeeded = step * 30 + i,
                             .running = 500 + step % 7,
                             .turns = step * 250});
  }
  for (std::uint64_t i = 0; i < 100; ++i) {
    status.routes.push_back(
        {.route = "provider-" + std::to_string(i % 10) + "/key-" + std::to_string(i) + "/model",
         .model = "vendor/model-" + std::to_string(i % 20),
         .reason = {},
         .in_flight = 50 + (step + i) % 11,
         .answered = step * 50 + i,
         .throttled = step + i,
         .closed_for = std::nullopt});
  }
  for (std::uint64_t i = 0; i < 200; ++i) {
    status.limits.push_back(
        {.domain = "provider-" + std::to_string(i % 10) + "/key-" + std::to_string(i / 2),
         .limit = {.kind = i % 2 == 0 ? quota::LimitKind::requests : quota::LimitKind::tokens,
                   .quota = 600},
         .used = static_cast<double>(step % 97) * 5.123456789,
         .allowed = 590.123456789,
         .closed_for = std::nullopt});
  }
  return status;
}

TEST(PageState, of_a_big_run_changes_by_less_than_fifty_kilobytes_a_second) {
  Rates rates;
  json::Value last = page_state(to_json(big(1)), rates);
  for (std::uint64_t step = 2; step < 30; ++step) {
    const json::Value next = page_state(to_json(big(step)), rates);
    const json::Value patch = difference(last, next).value();
    EXPECT_LT(json::to_text(patch).size(), 50'000U);
    ASSERT_EQ(merged(last, patch), next);
    last = next;
  }
  EXPECT_NEAR(json::get_double(last.at("rates"), "turns_per_second").value_or(0), 5000, 1);
}

TEST(PageState, rounds_what_nobody_reads_to_its_last_digit) {
  Rates rates;
  const json::Value state =
      page_state(parsed(R"({"used": 512.3456789, "small": 0.0123456, "count": 123456789})"), rates);
  EXPECT_EQ(json::get_double(state, "used"), 512.3);
  EXPECT_NEAR(json::get_double(state, "small").value_or(0), 0.01235, 1e-9);
  EXPECT_EQ(json::get_int(state, "count"), 123456789);
}

}  // namespace
}  // namespace sortie::monitor
