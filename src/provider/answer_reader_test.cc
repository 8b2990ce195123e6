#include "sortie/provider/answer_reader.h"

#include "sortie/base/scrubber.h"
#include "sortie/base/secret.h"
#include "sortie/provider/dialect.h"
#include "sortie/wire/message.h"

#include <cstddef>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace sortie::provider {
namespace {

wire::Response head(std::string_view type) {
  wire::Response head;
  head.status = 200;
  if (!type.empty()) {
    head.headers.add("content-type", std::string(type));
  }
  return head;
}

constexpr std::string_view kStream =
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"yes\"}}]}\n\n"
    "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
constexpr std::string_view kPlain =
    R"({"choices":[{"index":0,"message":{"content":"yes"},"finish_reason":"stop"}]})";

/// In pieces of `size` bytes: the text or the code of what went wrong.
std::string read(std::string_view type, std::string_view body, std::size_t size) {
  AnswerReader reader(openai());
  for (std::size_t i = 0; i < body.size(); i += size) {
    reader.feed(head(type), body.substr(i, size));
  }
  const auto decoded = reader.finish({}, base::Scrubber());
  return decoded ? decoded->answer.text : decoded.error().code;
}

TEST(AnswerReader, reads_streams_and_bodies_in_one_piece_however_they_are_cut) {
  for (const std::size_t size : {1UL, 2UL, 7UL, 1000UL}) {
    EXPECT_EQ(read("text/event-stream", kStream, size), "yes");
    EXPECT_EQ(read("", kStream, size), "yes");  // known by its look
    EXPECT_EQ(read("text/event-stream", ": ok\n\n" + std::string(kStream), size), "yes");
    EXPECT_EQ(read("application/json", kPlain, size), "yes");
    EXPECT_EQ(read("text/event-stream", kPlain, size), "yes");
    EXPECT_EQ(read("", "\n\n\n" + std::string(kPlain), size),
              "yes");  // empty lines while it waited
    EXPECT_EQ(read("application/json", kPlain.substr(0, 30), size), "truncated");
    EXPECT_EQ(read("text/event-stream", kStream.substr(0, 70), size), "truncated");
    EXPECT_EQ(read("application/json", R"({"error":{"code":"no","message":"x"}})", size), "no");
  }
}

TEST(AnswerReader, is_over_with_the_answers_end_not_with_that_of_its_body) {
  AnswerReader reader(openai());
  EXPECT_FALSE(reader.has_begun());
  reader.feed(head("text/event-stream"), kStream.substr(0, 70));
  EXPECT_TRUE(reader.has_begun());
  EXPECT_FALSE(reader.is_over());
  EXPECT_EQ(reader.events_with_content(), 1U);
  reader.feed(head("text/event-stream"), kStream.substr(70));
  EXPECT_TRUE(reader.is_over());
}

TEST(AnswerReader, an_error_within_it_ends_a_stream) {
  AnswerReader reader(openai());
  reader.feed(head("text/event-stream"),
              "data: {\"error\":{\"code\":\"x\",\"message\":\"y\"}}\n\n");
  EXPECT_TRUE(reader.is_over());
}

TEST(AnswerReader, shows_no_secret_in_what_it_quotes) {
  base::Scrubber scrubber;
  scrubber.add("k", base::Secret("sk-0123456789abcdef"));
  for (const std::string_view type : {"text/event-stream", "application/json"}) {
    AnswerReader reader(openai());
    reader.feed(head(type), "data: not JSON but sk-01234567");
    reader.feed(head(type), "89abcdef\n\n");
    const auto decoded = reader.finish({}, scrubber);
    ASSERT_FALSE(decoded.has_value());
    EXPECT_FALSE(decoded.error().message.contains("0123456789abcdef")) << decoded.error().message;
    EXPECT_TRUE(decoded.error().message.contains("[secret:k]")) << decoded.error().message;
  }
}

}  // namespace
}  // namespace sortie::provider
