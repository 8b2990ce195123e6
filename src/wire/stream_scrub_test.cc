#include "sortie/wire/stream_scrub.h"

#include "sortie/base/json.h"
#include "sortie/base/scrubber.h"
#include "sortie/base/secret.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace sortie::wire {
namespace {

constexpr std::string_view kKey = "sk-canary+0001/9e3779b9==";

base::Scrubber scrubber() {
  base::Scrubber made;
  made.add("key-1", base::Secret(std::string(kKey)));
  return made;
}

std::string event(std::string_view json) {
  return fmt::format("data: {}\n\n", json);
}

std::string openai(std::string_view text) {
  std::string quoted;
  json::append_quoted(quoted, text);
  return event(R"({"id":"x","choices":[{"index":0,"delta":{"content":)" + quoted + "}}]}");
}

TEST(ScrubbedStream, finds_a_secret_wherever_a_stream_cuts_it) {
  for (std::size_t first = 0; first <= kKey.size(); ++first) {
    for (std::size_t second = first; second <= kKey.size(); ++second) {
      const std::string body = openai("your key is " + std::string(kKey.substr(0, first))) +
                               ": ping\n\n" + openai(kKey.substr(first, second - first)) +
                               openai(std::string(kKey.substr(second)) + ".");
      const std::string clean = scrubbed_stream(body, scrubber());
      std::string said;
      std::string_view left = clean;
      for (std::size_t at = 0; (at = left.find("data: ")) != std::string_view::npos;) {
        left.remove_prefix(at + 6);
        const auto value = json::parse(left.substr(0, left.find('\n')));
        ASSERT_TRUE(value.has_value()) << clean;
        said += json::view(value->at("choices").at(0).at("delta").at("content").as_string());
      }
      ASSERT_EQ(said, "your key is [secret:key-1].") << first << ' ' << second;
    }
  }
}

TEST(ScrubbedStream, leaves_other_streams_as_they_are) {
  const std::string stream = ": hello\nretry: 3\n\nevent: ping\ndata: {}\n\n" +
                             openai("sk-canary") + "\r\n" + event("[DONE]") + "data: {\"unfini";
  EXPECT_EQ(scrubbed_stream(stream, scrubber()), stream);
  EXPECT_EQ(scrubbed_stream("", scrubber()), "");
  EXPECT_EQ(scrubbed_stream(R"({"a": "b"})", scrubber()), R"({"a": "b"})");
}

TEST(ScrubbedStream, knows_the_pieces_of_every_dialect) {
  const std::string first(kKey.substr(0, 11));
  const std::string second(kKey.substr(11));
  const std::vector<std::string> bodies = {
      // Anthropic: text, thoughts, a call's arguments.
      "event: content_block_delta\n" +
          event(R"({"index":0,"delta":{"type":"text_delta","text":")" + first + R"("}})") +
          "event: content_block_delta\n" +
          event(R"({"index":0,"delta":{"type":"text_delta","text":")" + second + R"("}})"),
      event(R"({"delta":{"partial_json":"{\"k\":\")" + first + R"("}})") +
          event(R"({"delta":{"partial_json":")" + second + R"(\"}"}})"),
      // Gemini: beside a thought the text stands in another place of its list.
      event(R"({"candidates":[{"content":{"parts":[{"thought":true},{"text":")" + first +
            R"("}]}}]})") +
          event(R"({"candidates":[{"content":{"parts":[{"text":")" + second + R"("}]}}]})"),
      // OpenAI: calls at once, whose pieces alternate.
      event(R"({"tool_calls":[{"arguments":"a )" + first + R"("},{"arguments":"b"}]})") +
          event(R"({"tool_calls":[{"arguments":")" + second + R"("},{"arguments":"c"}]})"),
      // No JSON.
      event(first) + event(second)};
  for (const std::string& body : bodies) {
    const std::string clean = scrubbed_stream(body, scrubber());
    EXPECT_EQ(clean.find(first), std::string::npos) << clean;
    EXPECT_EQ(clean.find(second), std::string::npos) << clean;
    EXPECT_NE(clean.find("[secret:key-1]"), std::string::npos) << clean;
  }
}

TEST(ScrubbedStream, finds_a_secret_whatever_of_it_is_escaped) {
  const auto said = [](std::string_view text) {
    return event(R"({"choices":[{"delta":{"content":")" + std::string(text) + R"("}}]})");
  };
  std::string escaped;
  for (const char c : kKey) {
    escaped += fmt::format("\\u{:04x}", c);
  }
  for (const std::string& body : {said(escaped),
                                  said("a") + ": ping\n\n" + said(escaped),
                                  said(escaped.substr(0, 30)) + said(escaped.substr(30))}) {
    const std::string clean = scrubbed_stream(body, scrubber());
    EXPECT_EQ(clean.find("\\u"), std::string::npos) << clean;
    EXPECT_NE(clean.find("[secret:key-1]"), std::string::npos) << clean;
  }
}

TEST(ScrubbedStream, takes_whole_secrets_out_of_every_body) {
  for (const std::string& body :
       {openai(kKey), "<html>" + std::string(kKey), openai("a") + openai(kKey)}) {
    const std::string clean = scrubbed_stream(body, scrubber());
    EXPECT_EQ(clean.find(kKey), std::string::npos) << clean;
    EXPECT_NE(clean.find("[secret:key-1]"), std::string::npos) << clean;
  }
}

}  // namespace
}  // namespace sortie::wire
