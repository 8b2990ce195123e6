#include "sortie/sim/conversation.h"

#include "sortie/chat/message.h"
#include "sortie/sim/forms.h"
#include "sortie/sim/openai.h"
#include "sortie/sim/play.h"

#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace sortie::sim {
namespace {

chat::Message said(chat::Role role, std::string text) {
  return {.role = role, .text = std::move(text), .tool_calls = {}, .tool_call_id = {}};
}

/// A conversation keeps views into its request.
struct Read {
  explicit Read(const std::vector<chat::Message>& messages) : body(chat_body("m", messages)) {
    EXPECT_TRUE(parse_chat_request(body, request).has_value());
    conversation = read_conversation(request);
  }

  std::string body;
  ChatRequest request;
  Conversation conversation;
};

std::vector<chat::Message> after_opening(const std::string& answer, const std::string& reply) {
  return {said(chat::Role::system, "rules"),
          said(chat::Role::user, "the task"),
          said(chat::Role::assistant, answer),
          said(chat::Role::user, reply)};
}

TEST(Conversation, begins_with_the_first_user_message) {
  const Read read({said(chat::Role::system, "rules"), said(chat::Role::user, "the task")});
  EXPECT_EQ(read.conversation.opening, "the task");
  EXPECT_TRUE(read.conversation.turns.empty());
}

TEST(Conversation, remembers_a_call_and_the_handle_it_gave) {
  const Read read(after_opening("Well. " + use_tool_text("a_tool", R"({"x":"y"})"),
                                "[1] use_tool a_tool: ok\n{\"artifact\":\"raw#1\",\"result\":{}}"));
  ASSERT_EQ(read.conversation.turns.size(), 1U);
  ASSERT_EQ(read.conversation.turns[0].calls.size(), 1U);
  const PastCall& call = read.conversation.turns[0].calls[0];
  EXPECT_EQ(call.tool, "a_tool");
  EXPECT_EQ(call.arguments, R"({"x":"y"})");
  EXPECT_EQ(call.outcome, CallOutcome::ok);
  EXPECT_EQ(call.handle, "raw#1");
}

TEST(Conversation, tells_rejection_bad_luck_and_not_run_apart) {
  const std::string answer = use_tool_text("a", "{}") + "\n" + use_tool_text("b", "{}") + "\n" +
                             use_tool_text("c", "{}") + "\n" + use_tool_text("d", "{}");
  const Read read(
      after_opening(answer,
                    "[1] use_tool a: ok\n{\"artifact\":\"raw#1\",\"result\":\"[2] no\"}\n"
                    "[2] use_tool b: rejected\n{\"code\":\"INVALID_INPUT\",\"message\":\"m\"}\n"
                    "[3] use_tool c: failed\n{\"code\":\"TIMEOUT\",\"message\":\"m\"}\n"
                    "[4] use_tool d: not run, since command 2 did not succeed"));
  const auto& calls = read.conversation.turns.at(0).calls;
  ASSERT_EQ(calls.size(), 4U);
  EXPECT_EQ(calls[0].outcome, CallOutcome::ok);
  EXPECT_EQ(calls[1].outcome, CallOutcome::rejected);
  EXPECT_EQ(calls[2].outcome, CallOutcome::injected);
  EXPECT_EQ(calls[3].outcome, CallOutcome::not_run);
}

TEST(Conversation, reads_an_unclosed_call) {
  std::string text = use_tool_text("a", R"({"x":{"y":1}})");
  text.resize(text.rfind("</"));
  const Read read(after_opening(text, "[1] use_tool a: failed\n{\"code\":\"TIMEOUT\"}"));
  ASSERT_EQ(read.conversation.turns[0].calls.size(), 1U);
  EXPECT_EQ(read.conversation.turns[0].calls[0].arguments, R"({"x":{"y":1}})");
  EXPECT_EQ(read.conversation.turns[0].calls[0].outcome, CallOutcome::injected);
}

TEST(Conversation, remembers_searches_lookups_and_silence) {
  const Read read({said(chat::Role::user, "the task"),
                   said(chat::Role::assistant, find_tool_text("load a file")),
                   said(chat::Role::user, "[1] find_tool \"load a file\": 1 found\n- x: y"),
                   said(chat::Role::assistant, show_tool_text("a_tool")),
                   said(chat::Role::user, "[1] show_tool a_tool: ok\na_tool: …"),
                   said(chat::Role::assistant, "I am thinking."),
                   said(chat::Role::user, "No command was understood in your answer.")});
  ASSERT_EQ(read.conversation.turns.size(), 3U);
  EXPECT_EQ(read.conversation.turns[0].searches, std::vector<std::string_view>{"load a file"});
  EXPECT_EQ(read.conversation.turns[1].lookups, std::vector<std::string_view>{"a_tool"});
  EXPECT_TRUE(read.conversation.turns[2].calls.empty());
}

TEST(Conversation, pairs_function_calls_with_their_answers_by_id) {
  chat::Message answer = said(chat::Role::assistant, "");
  answer.tool_calls = {{.id = "c1", .name = "a", .arguments = "{}"},
                       {.id = "c2", .name = "find_tool", .arguments = R"({"query":"words"})"},
                       {.id = "c3", .name = "b", .arguments = "{}"}};
  chat::Message second = said(chat::Role::tool, "use_tool b: rejected\n{}");
  second.tool_call_id = "c3";
  chat::Message first =
      said(chat::Role::tool, "use_tool a: ok\n{\"artifact\":\"t#4\",\"result\":1}");
  first.tool_call_id = "c1";
  const Read read({said(chat::Role::user, "the task"), answer, second, first});
  const PastTurn& turn = read.conversation.turns.at(0);
  ASSERT_EQ(turn.calls.size(), 2U);
  EXPECT_EQ(turn.calls[0].handle, "t#4");
  EXPECT_EQ(turn.calls[1].outcome, CallOutcome::rejected);
  EXPECT_EQ(turn.searches, std::vector<std::string_view>{"words"});
}

TEST(Conversation, survives_any_text) {
  EXPECT_TRUE(rc::check([] {
    const auto pieces = *rc::gen::container<std::vector<std::string>>(
        rc::gen::element<std::string>("<use_tool>",
                                      "</use_tool>",
                                      "{\"name\":\"",
                                      "\",\"arguments\":",
                                      "{",
                                      "}",
                                      "<finish>",
                                      "<find_tool>",
                                      "[1] ",
                                      "\n",
                                      ": ok\n",
                                      "x"));
    std::string text;
    for (const std::string& piece : pieces) {
      text += piece;
    }
    const Read read(after_opening(text, text));
    RC_ASSERT(read.conversation.turns.size() == 1U);
  }));
}

}  // namespace
}  // namespace sortie::sim
