#include "sortie/base/json.h"
#include "sortie/chat/message.h"
#include "sortie/provider/answer_stream.h"
#include "sortie/provider/dialect.h"
#include "sortie/provider/signals.h"
#include "sortie/quota/signal.h"
#include "sortie/wire/message.h"
#include "sortie/wire/sse.h"

#include <algorithm>
#include <cstddef>
#include <expected>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

// Answers as the providers' documentation shows them (golden/README.md).

namespace sortie::provider {
namespace {

namespace fs = std::filesystem;

std::string text_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

struct Golden {
  std::string name;
  const Dialect* dialect = nullptr;
  std::string plain;     // "" if there is none
  std::string streamed;  // "" if there is none
  json::Value expected;
};

std::vector<Golden> goldens() {
  std::vector<Golden> all;
  constexpr std::string_view kEnd = ".answer.json";
  const fs::path folder(SORTIE_GOLDEN_DIR);
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    const std::string file = entry.path().filename().string();
    if (!file.ends_with(kEnd)) {
      continue;
    }
    Golden golden;
    golden.name = file.substr(0, file.size() - kEnd.size());
    golden.dialect = find_dialect(golden.name.substr(0, golden.name.find('-')));
    golden.plain = text_of(folder / (golden.name + ".json"));
    golden.streamed = text_of(folder / (golden.name + ".sse"));
    golden.expected = json::parse(text_of(entry.path())).value();
    all.push_back(std::move(golden));
  }
  std::ranges::sort(all, {}, &Golden::name);
  return all;
}

wire::Response head_of_stream() {
  wire::Response head;
  head.status = 200;
  head.headers.add("Content-Type", "text/event-stream; charset=utf-8");
  return head;
}

std::string told(const std::expected<Decoded, quota::Signal>& decoded) {
  return decoded ? json::canonical(chat::to_json(decoded->answer))
                 : "error: " + decoded.error().code + ": " + decoded.error().message;
}

TEST(Golden, every_dialect_has_plain_and_streamed_answers) {
  for (const std::string& name : dialect_names()) {
    EXPECT_TRUE(std::ranges::any_of(goldens(), [&](const Golden& golden) {
      return golden.dialect == find_dialect(name) && !golden.plain.empty() &&
             !golden.streamed.empty();
    })) << name;
  }
}

TEST(Golden, plain_answers_mean_what_the_documentation_says) {
  for (const Golden& golden : goldens()) {
    ASSERT_NE(golden.dialect, nullptr) << golden.name;
    if (golden.plain.empty()) {
      continue;
    }
    wire::Response response{.status = 200, .headers = {}, .body = golden.plain};
    response.headers.add("Content-Type", "application/json");
    EXPECT_EQ(told(golden.dialect->decode(response, {})), json::canonical(golden.expected))
        << golden.name;
  }
}

TEST(Golden, streamed_answers_mean_the_same) {
  for (const Golden& golden : goldens()) {
    wire::Response response = head_of_stream();
    response.body = golden.streamed;
    EXPECT_EQ(told(golden.dialect->decode(response, {})), json::canonical(golden.expected))
        << golden.name;
  }
}

TEST(Golden, a_stream_means_the_same_wherever_it_is_cut) {
  for (const Golden& golden : goldens()) {
    const std::string expected = json::canonical(golden.expected);
    const std::string_view bytes = golden.streamed;
    for (std::size_t at = 0; at <= bytes.size(); ++at) {
      AnswerStream stream(*golden.dialect);
      stream.feed(bytes.substr(0, at));
      stream.feed(bytes.substr(at));
      ASSERT_EQ(told(stream.finish(head_of_stream(), {})), expected) << golden.name << " at " << at;
    }
    AnswerStream drops(*golden.dialect);
    for (const char byte : bytes) {
      drops.feed({&byte, 1});
    }
    EXPECT_EQ(told(drops.finish(head_of_stream(), {})), expected) << golden.name;
  }
}

TEST(Golden, a_stream_that_ends_early_is_never_taken_for_an_answer) {
  for (const Golden& golden : goldens()) {
    const std::string_view bytes = golden.streamed;
    const std::string expected = json::canonical(golden.expected);
    bool ended = false;
    for (std::size_t length = 0; length < bytes.size(); ++length) {
      AnswerStream stream(*golden.dialect);
      stream.feed(bytes.substr(0, length));
      const auto decoded = stream.finish(head_of_stream(), {});
      if (!decoded) {
        EXPECT_FALSE(ended) << golden.name << " at " << length;
        EXPECT_EQ(decoded.error().kind, quota::SignalClass::broken) << golden.name;
        EXPECT_TRUE(decoded.error().maybe_billed) << golden.name;
        continue;
      }
      // What is missing now can only be the count of tokens.
      ended = true;
      chat::Answer answer = decoded->answer;
      chat::Answer whole = chat::answer_from_json(golden.expected).value();
      EXPECT_EQ(answer.text, whole.text) << golden.name << " at " << length;
      EXPECT_EQ(answer.tool_calls, whole.tool_calls) << golden.name << " at " << length;
      EXPECT_EQ(answer.finish, whole.finish) << golden.name << " at " << length;
    }
  }
}

TEST(AnswerStream, counts_events_with_content_and_no_signs_of_life) {
  AnswerStream stream(openai());
  stream.feed(": keep-alive\n\n\n\n");
  EXPECT_EQ(stream.events_with_content(), 0U);
  stream.feed("data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n");
  EXPECT_EQ(stream.events_with_content(), 0U);
  stream.feed("data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n");
  EXPECT_EQ(stream.events_with_content(), 1U);
  AnswerStream pings(anthropic());
  pings.feed("event: ping\ndata: {\"type\": \"ping\"}\n\n");
  EXPECT_EQ(pings.events_with_content(), 0U);
}

TEST(AnswerStream, an_error_within_it_is_that_error) {
  const auto ended = [](const Dialect& dialect, std::string_view bytes) {
    AnswerStream stream(dialect);
    stream.feed(bytes);
    return stream.finish(head_of_stream(), {}).error();
  };
  const quota::Signal overloaded =
      ended(anthropic(),
            "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\","
            "\"message\":\"Overloaded\"}}\n\n");
  EXPECT_EQ(overloaded.code, "overloaded_error");
  EXPECT_EQ(overloaded.message, "Overloaded");
  const quota::Signal late = ended(
      openai(),
      "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n"
      "data: {\"error\":{\"code\":502,\"message\":\"Provider disconnected\"},\"choices\":[]}\n\n");
  EXPECT_EQ(late.code, "502");
  EXPECT_TRUE(late.maybe_billed);  // something was made
  EXPECT_EQ(ended(gemini(), "data: {\"error\":{\"code\":503,\"status\":\"UNAVAILABLE\"}}\n\n").code,
            "503");
  EXPECT_EQ(ended(openai(), "event: error\ndata: {\"code\":\"Throttling\"}\n\n").code,
            "Throttling");
}

TEST(AnswerStream, thoughts_that_go_back_are_one_block_however_many_pieces_they_came_in) {
  AnswerStream stream(openai());
  const auto think = [&](const std::string& detail) {
    stream.feed("data: {\"choices\":[{\"delta\":{\"reasoning_details\":[" + detail + "]}}]}\n\n");
  };
  constexpr int kPieces = 3000;
  std::string thoughts;
  for (int i = 0; i < kPieces; ++i) {
    think(R"({"type":"reasoning.text","text":"a","signature":null,"index":0})");
    thoughts += 'a';
  }
  think(R"({"type":"reasoning.text","text":null,"signature":"s","index":0})");
  think(R"({"type":"reasoning.text","text":"b","signature":"t","index":1})");
  think(R"({"type":"reasoning.encrypted","data":"c","index":2})");
  stream.feed("data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n");
  const auto decoded = stream.finish(head_of_stream(), {});
  ASSERT_TRUE(decoded.has_value()) << decoded.error().message;
  EXPECT_EQ(decoded->answer.opaque,
            R"([{"type":"reasoning.text","text":")" + thoughts +
                R"(","signature":"s","index":0},)"
                R"({"type":"reasoning.text","text":"b","signature":"t","index":1},)"
                R"({"type":"reasoning.encrypted","data":"c","index":2}])");
}

TEST(AnswerStream, pieces_of_a_call_without_an_index_go_on_with_the_last_one) {
  AnswerStream stream(openai());
  for (const std::string_view call : {R"({"id":"a","function":{"name":"f","arguments":"{\"x\""}})",
                                      R"({"id":"","function":{"arguments":":1}"}})",
                                      R"({"id":"b","function":{"name":"g","arguments":"{}"}})"}) {
    stream.feed("data: {\"choices\":[{\"delta\":{\"tool_calls\":[" + std::string(call) +
                "]}}]}\n\n");
  }
  stream.feed("data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"tool_calls\"}]}\n\n");
  const auto decoded = stream.finish(head_of_stream(), {});
  ASSERT_TRUE(decoded.has_value()) << decoded.error().message;
  EXPECT_EQ(decoded->answer.tool_calls,
            (std::vector<chat::ToolCall>{{"a", "f", "{\"x\":1}"}, {"b", "g", "{}"}}));
}

constexpr std::string_view kWhole =
    "data: {\"model\":\"m\",\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n"
    "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";

TEST(AnswerStream, what_follows_a_complete_answer_takes_nothing_from_it) {
  const std::string usage =
      "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":1}}\n\n";
  for (const std::string& rest :
       {std::string("data: {\"error\":{\"code\":502,\"message\":\"no usage\"}}\n\n"),
        std::string("event: error\ndata: {\"code\":\"x\"}\n\n"),
        std::string("data: <html>\n\n"),
        usage + "data: <html>\n\n",
        "data: " + std::string(wire::SseDecoder::kEventBytesMax + 1, 'x')}) {
    AnswerStream stream(openai());
    stream.feed(kWhole);
    EXPECT_TRUE(stream.is_over());
    stream.feed(rest);
    const auto decoded = stream.finish(head_of_stream(), {});
    ASSERT_TRUE(decoded.has_value()) << decoded.error().message;
    EXPECT_EQ(decoded->answer.text, "a");
    EXPECT_EQ(decoded->answer.usage_reported, rest.starts_with(usage));
  }
}

TEST(AnswerStream, nothing_after_an_event_that_cannot_be_read_counts_however_it_is_cut) {
  const std::string rest = "data: {\"choices\":[{\"delta\":{\"content\":\"b\"}}]}\n\n";
  for (const std::string& unreadable :
       {std::string("data: <html>\n\n"),
        std::string("data: {\"error\":{\"message\":\"no usage\"}}\n\n"),
        "data: " + std::string(wire::SseDecoder::kEventBytesMax + 1, 'x') + "\n\n"}) {
    const std::string all = std::string(kWhole) + unreadable + rest;
    for (const std::size_t cut : {std::size_t{0}, kWhole.size(), all.size() - rest.size()}) {
      AnswerStream stream(openai());
      stream.feed(std::string_view(all).substr(0, cut));
      stream.feed(std::string_view(all).substr(cut));
      const auto decoded = stream.finish(head_of_stream(), {});
      ASSERT_TRUE(decoded.has_value()) << decoded.error().message;
      EXPECT_EQ(decoded->answer.text, "a") << cut;
    }
  }
}

TEST(AnswerStream, an_error_is_judged_by_its_own_words_not_by_the_models) {
  SignalTable table;
  table.rows = {{.status_min = 400, .text = "maximum context length", .code_as = "too_long"},
                {.status_min = 400, .code_as = "other"}};
  const auto judged = [&](std::string_view said, std::string_view message) {
    const std::string events = "data: {\"choices\":[{\"delta\":{\"content\":\"" +
                               std::string(said) +
                               "\"}}]}\n\ndata: {\"error\":{\"code\":400,\"message\":\"" +
                               std::string(message) + "\"}}\n\n";
    wire::Response head = head_of_stream();
    head.body = events;
    AnswerStream stream(openai());
    stream.feed(events);
    return stream.finish(head, {.table = &table}).error().code;
  };
  EXPECT_EQ(judged("The maximum context length is", "Provider returned error"), "other");
  EXPECT_EQ(judged("Well", "This model's maximum context length is 8"), "too_long");
}

TEST(AnswerStream, what_is_no_json_is_broken) {
  AnswerStream stream(openai());
  stream.feed("data: {\"choices\":[\n\n");
  const auto ended = stream.finish(head_of_stream(), {});
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().kind, quota::SignalClass::broken);
  EXPECT_EQ(ended.error().code, "not_json");
}

TEST(AnswerStream, a_provider_that_does_not_stream_is_read_all_the_same) {
  wire::Response response = head_of_stream();
  response.body = R"({"model":"m","choices":[{"message":{"content":"x"},"finish_reason":"stop"}]})";
  EXPECT_EQ(openai().decode(response, {})->answer.text, "x");
}

}  // namespace
}  // namespace sortie::provider
