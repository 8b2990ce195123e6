#include "sortie/score/label.h"

#include "sortie/score/test_support.h"
#include "sortie/suite/world.h"

#include <set>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace sortie::score {
namespace {

using dialogue::End;
using suite::CallStatus;
using suite::Rejection;

TEST(Label, without_any_call_it_is_silence_or_format) {
  EXPECT_EQ(Made().turn({.understood = true}).turn({}).turn({}).label(), "no_command@1");
  EXPECT_EQ(Made().turn({.understood = true}).label(), "no_command@0");
  EXPECT_EQ(Made().turn({}).turn({.unreadable = 1}).turn({}).label(), "tool_call_format@1");
  EXPECT_EQ(Made().end(End::context_full).label(), "no_command@-");
}

TEST(Label, silence_comes_before_refusal_cut_and_loop) {
  EXPECT_EQ(Made().turn({.refused = true}).label(), "no_command@0");
  EXPECT_EQ(Made().turn({.unreadable = 1, .truncated = true}).end(End::loop).label(),
            "tool_call_format@0");
}

TEST(Label, refused_and_truncated_need_the_last_answer_or_half_of_all) {
  EXPECT_EQ(Made().read().turn({.refused = true}).label(), "refused@1");
  EXPECT_EQ(Made().read().turn({.filtered = true}).end(End::filtered).label(), "refused@1");
  EXPECT_EQ(Made().read().turn({.truncated = true}).label(), "truncated@1");
  EXPECT_EQ(Made().turn({.truncated = true}).turn({.truncated = true}).read().read().label(),
            "truncated@0");
  EXPECT_EQ(
      Made().turn({.truncated = true}).read().quiet(2).done({true, false, false}, 0.3).label(),
      "early_finish@3");
  EXPECT_EQ(Made()
                .read()
                .turn({.understood = true, .truncated = true})
                .done({true, false, false}, 0.3)
                .label(),
            "early_finish@1");
}

TEST(Label, refusal_comes_before_cut_and_cut_before_loop) {
  EXPECT_EQ(Made().read().turn({.truncated = true, .refused = true}).label(), "refused@1");
  EXPECT_EQ(Made().read().turn({.truncated = true}).end(End::loop).label(), "truncated@1");
}

TEST(Label, a_loop_is_shown_by_its_first_turn) {
  EXPECT_EQ(Made()
                .read()
                .parse(CallStatus::rejected, Rejection::parameter)
                .parse(CallStatus::rejected, Rejection::parameter)
                .parse(CallStatus::rejected, Rejection::parameter)
                .parse(CallStatus::rejected, Rejection::parameter)
                .parse(CallStatus::rejected, Rejection::parameter)
                .end(End::loop)
                .label(),
            "loop@1");
}

TEST(Label, a_tool_that_is_not_needed_in_place_of_one_that_is) {
  EXPECT_EQ(Made().read().call("integration_mapper", {}).done({true, false, false}, 0.3).label(),
            "tool_selection@1");
  EXPECT_EQ(Made()
                .read()
                .call("nothing", {}, CallStatus::rejected, Rejection::unknown_tool)
                .done({true, false, false}, 0.3)
                .label(),
            "tool_selection@1");
}

TEST(Label, a_tool_that_is_not_needed_before_the_operation_was_due_shows_nothing) {
  EXPECT_EQ(Made().call("utility_cache", {}).read().done({true, false, false}, 0.3).label(),
            "early_finish@1");
}

TEST(Label, a_tool_that_is_needed_elsewhere_is_a_choice_where_it_agrees_with_nothing_there) {
  const std::vector<bool> one_done = {true, false, false};
  // In place of the parse, which was due: another file read, and the raw text stored elsewhere.
  EXPECT_EQ(
      Made().read().call("file_operations_reader", {{"path", "b.csv"}}).done(one_done, 0.3).label(),
      "tool_selection@1");
  EXPECT_EQ(Made()
                .read()
                .call("file_operations_writer", {{"source", "raw#1"}, {"path", "c.csv"}})
                .done(one_done, 0.3)
                .label(),
            "tool_selection@1");
  // The store itself, too early; and the read once more.
  EXPECT_EQ(Made()
                .read()
                .call("file_operations_writer", {{"source", "raw#1"}, {"path", "b.csv"}})
                .read()
                .done(one_done, 0.3)
                .label(),
            "early_finish@2");
}

TEST(Label, a_right_file_that_was_overwritten_is_not_done) {
  Made made;
  made.read().parse().write();
  made.call("file_operations_writer", {{"source", "raw#1"}, {"path", "b.csv"}});
  EXPECT_EQ(made.label(), "dependency@3");
  // The same call again is the same file, which takes its place back.
  made.call("file_operations_writer", {{"source", "table#2"}, {"path", "b.csv"}});
  made.transcript().calls.back().result.artifact = made.transcript().calls[2].result.artifact;
  EXPECT_EQ(made.label(), "early_finish@4");
}

TEST(Label, wrong_values_are_a_matter_of_parameters) {
  const std::vector<bool> one_done = {true, false, false};
  EXPECT_EQ(
      Made().read().parse(CallStatus::rejected, Rejection::parameter).done(one_done, 0.3).label(),
      "parameter_config@1");
  EXPECT_EQ(Made()
                .read()
                .call("data_processing_parser", {{"source", "raw#1"}, {"format", "json"}})
                .done(one_done, 0.3)
                .label(),
            "parameter_config@1");
  EXPECT_EQ(Made()
                .read()
                .call("data_processing_parser", {{"source", "raw#1"}})
                .done(one_done, 0.3)
                .label(),
            "parameter_config@1");
}

TEST(Label, an_attempt_before_its_predecessor_is_a_matter_of_order) {
  EXPECT_EQ(Made()
                .parse(CallStatus::rejected, Rejection::unknown_handle)
                .read()
                .done({true, false, false}, 0.3)
                .label(),
            "sequence_order@0");
}

TEST(Label, a_wrong_handle_in_the_right_order_is_a_matter_of_dependency) {
  const std::vector<bool> one_done = {true, false, false};
  EXPECT_EQ(Made()
                .read()
                .parse(CallStatus::rejected, Rejection::unknown_handle)
                .done(one_done, 0.3)
                .label(),
            "dependency@1");
  EXPECT_EQ(
      Made().read().parse(CallStatus::rejected, Rejection::wrong_kind).done(one_done, 0.3).label(),
      "dependency@1");
  // A result of the right kind, but of another file: the call went well and helps nothing.
  EXPECT_EQ(Made()
                .call("file_operations_reader", {{"path", "old.csv"}})
                .read()
                .parse()
                .done(one_done, 0.3)
                .label(),
            "dependency@2");
}

TEST(Label, the_last_attempt_that_was_not_bad_luck_decides) {
  const std::vector<bool> one_done = {true, false, false};
  EXPECT_EQ(Made()
                .read()
                .parse(CallStatus::rejected, Rejection::parameter)
                .parse(CallStatus::rejected, Rejection::unknown_handle)
                .parse(CallStatus::injected)
                .done(one_done, 0.3)
                .label(),
            "dependency@2");
  EXPECT_EQ(Made().read().parse(CallStatus::injected).done(one_done, 0.3).label(),
            "early_finish@1");
}

TEST(Label, the_first_operation_that_never_succeeded_decides) {
  EXPECT_EQ(Made()
                .read()
                .parse()
                .call("file_operations_writer", {{"source", "table#2"}, {"path", "c.csv"}})
                .done({true, true, false}, 0.7)
                .label(),
            "parameter_config@2");
}

TEST(Label, finishing_early_is_the_last_resort_of_a_finish) {
  EXPECT_EQ(Made().read().quiet(2).done({true, false, false}, 0.3).label(), "early_finish@2");
}

TEST(Label, running_out_of_turns_needs_recent_progress) {
  EXPECT_EQ(Made().read().quiet(4).done({true, false, false}, 0.3).end(End::max_turns).label(),
            "max_turns@4");
  EXPECT_EQ(Made().read().quiet(5).done({true, false, false}, 0.3).end(End::max_turns).label(),
            "other@5");
  EXPECT_EQ(Made().read().done({true, false, false}, 0.3).end(End::context_full).label(),
            "other@0");
}

TEST(Label, names_are_distinct) {
  std::set<std::string_view> names;
  for (int i = 0; i <= static_cast<int>(Label::other); ++i) {
    names.insert(to_string(static_cast<Label>(i)));
  }
  EXPECT_EQ(names.size(), 13U);
  EXPECT_EQ(to_string(Level::partial), "partial");
}

TEST(Label, a_stale_handle_counts_whatever_became_of_the_call) {
  // The world refuses a value because the stale result lacks it, though the value is right.
  EXPECT_EQ(Made()
                .call("file_operations_reader", {{"path", "old.csv"}})
                .read()
                .parse(CallStatus::rejected, Rejection::parameter)
                .label(),
            "dependency@2");
  EXPECT_EQ(Made()
                .call("file_operations_reader", {{"path", "old.csv"}})
                .read()
                .parse(CallStatus::rejected, Rejection::other)
                .label(),
            "dependency@2");
}

TEST(Label, a_missing_handle_and_one_argument_too_many_are_a_matter_of_parameters) {
  EXPECT_EQ(Made()
                .read()
                .call("data_processing_parser",
                      {{"format", "csv"}},
                      CallStatus::rejected,
                      Rejection::parameter)
                .label(),
            "parameter_config@1");
  EXPECT_EQ(Made()
                .read()
                .call("data_processing_parser",
                      {{"source", "raw#1"}, {"format", "csv"}, {"strict", true}},
                      CallStatus::rejected,
                      Rejection::parameter)
                .label(),
            "parameter_config@1");
}

TEST(Label, results_that_went_through_steps_which_keep_the_content_are_the_right_ones) {
  Made made;
  made.read().parse().call("utility_cache",
                           {{"source", "table#2"}, {"key", "harvest-10"}, {"minutes", 5}});
  made.call("file_operations_writer", {{"source", "cached#3"}, {"path", "c.csv"}});
  EXPECT_EQ(made.label(), "parameter_config@3");
  made.call("file_operations_writer", {{"source", "cached#3"}, {"path", "b.csv"}});
  EXPECT_EQ(made.label(), "early_finish@4");
}

TEST(Label, every_label_has_one_of_the_eight_old_ones) {
  const std::set<std::string_view> old = {"timeout",
                                          "tool_selection",
                                          "parameter_config",
                                          "sequence_order",
                                          "dependency",
                                          "tool_call_format",
                                          "max_turns",
                                          "other"};
  EXPECT_EQ(legacy_label(Label::none), "");
  for (int i = 1; i <= static_cast<int>(Label::other); ++i) {
    EXPECT_TRUE(old.contains(legacy_label(static_cast<Label>(i)))) << i;
  }
  EXPECT_EQ(legacy_label(Label::loop), "max_turns");
  EXPECT_EQ(legacy_label(Label::no_command), "tool_call_format");
  EXPECT_EQ(legacy_label(Label::dependency), "dependency");
}

}  // namespace
}  // namespace sortie::score
