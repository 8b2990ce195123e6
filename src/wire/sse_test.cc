#include "sortie/wire/sse.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace sortie::wire {
namespace {

std::vector<SseEvent> decode(std::string_view text) {
  SseDecoder decoder;
  SseBatch batch = decoder.feed(text);
  EXPECT_FALSE(batch.error.has_value());
  return std::move(batch.events);
}

TEST(SseDecoder, an_empty_line_ends_an_event) {
  const auto events = decode("data: one\n\nevent: ping\ndata: {}\n\n");
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events[0], (SseEvent{"message", "one", ""}));
  EXPECT_EQ(events[1], (SseEvent{"ping", "{}", ""}));
}

TEST(SseDecoder, data_lines_are_joined_and_lose_one_leading_space) {
  const auto events = decode("data:a\ndata:  b\ndata\n\n");
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].data, "a\n b\n");
}

TEST(SseDecoder, all_three_line_ends_and_a_byte_order_mark_are_understood) {
  const std::vector<SseEvent> expected = {{"e", "x", "7"}, {"message", "y", "7"}};
  EXPECT_EQ(decode("event:e\nid:7\ndata:x\n\ndata:y\n\n"), expected);
  EXPECT_EQ(decode("event:e\rid:7\rdata:x\r\rdata:y\r\r"), expected);
  EXPECT_EQ(decode("\xEF\xBB\xBF"
                   "event:e\r\nid:7\r\ndata:x\r\n\r\ndata:y\r\n\r\n"),
            expected);
}

TEST(SseDecoder, something_that_only_begins_like_a_mark_is_text) {
  EXPECT_EQ(decode("\xEF\xBBx: 1\ndata: y\n\n"), (std::vector<SseEvent>{{"message", "y", ""}}));
  EXPECT_EQ(decode("\n\ndata: y\n\n"), (std::vector<SseEvent>{{"message", "y", ""}}));
}

TEST(SseDecoder, comments_are_life_without_content) {
  SseDecoder decoder;
  const SseBatch batch = decoder.feed(": keep-alive\n\n:\n");
  EXPECT_EQ(batch.comments, 2U);
  EXPECT_TRUE(batch.events.empty());
  EXPECT_TRUE(decoder.at_boundary());
}

TEST(SseDecoder, events_without_data_are_not_dispatched_and_do_not_name_the_next) {
  EXPECT_EQ(decode("event: lost\n\ndata: x\n\n"), (std::vector<SseEvent>{{"message", "x", ""}}));
  EXPECT_EQ(decode("data:\n\n"), (std::vector<SseEvent>{{"message", "", ""}}));
}

TEST(SseDecoder, an_unfinished_event_is_held_back_and_visible_as_such) {
  SseDecoder decoder;
  EXPECT_TRUE(decoder.at_boundary());
  EXPECT_TRUE(decoder.feed("data: x\n").events.empty());
  EXPECT_FALSE(decoder.at_boundary());
  EXPECT_EQ(decoder.feed("\n").events.size(), 1U);
  EXPECT_TRUE(decoder.at_boundary());
  EXPECT_TRUE(decoder.feed("dat").events.empty());
  EXPECT_FALSE(decoder.at_boundary());
}

TEST(SseDecoder, an_id_with_a_null_byte_and_unknown_fields_are_ignored) {
  using std::string_view_literals::operator""sv;
  EXPECT_EQ(decode("id: a\0b\nretry: 5\nfoo: bar\ndata: x\n\n"sv),
            (std::vector<SseEvent>{{"message", "x", ""}}));
}

TEST(SseDecoder, an_event_beyond_its_bound_fails_for_ever) {
  SseDecoder line(16);
  EXPECT_TRUE(line.feed("data: 0123456789012345").error.has_value());
  const SseBatch after = line.feed("\n\ndata: x\n\n");
  EXPECT_TRUE(after.error.has_value());
  EXPECT_TRUE(after.events.empty());
  EXPECT_FALSE(line.at_boundary());
  SseDecoder lines(16);
  ASSERT_FALSE(lines.feed("data: 0123456\n").error.has_value());
  EXPECT_TRUE(lines.feed("data: 0123456\n").error.has_value());
  SseDecoder sum(16);
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(sum.feed("data: 0123456\n\n").events.size(), 1U);
  }
}

TEST(SseDecoder, an_event_beyond_its_bound_takes_none_of_those_before_it) {
  SseDecoder decoder(16);
  const SseBatch batch = decoder.feed("data: x\n\ndata: 0123456789012345\n\n");
  EXPECT_TRUE(batch.error.has_value());
  EXPECT_EQ(batch.events, (std::vector<SseEvent>{{"message", "x", ""}}));
}

TEST(SseDecoder, no_field_can_grow_beyond_the_bound) {
  SseDecoder decoder(64);
  for (int i = 0; i < 64; ++i) {
    if (decoder.feed("data\n").error.has_value()) {
      return;
    }
  }
  FAIL() << "empty data lines add up without a bound";
}

/// Text in which the special bytes are frequent.
rc::Gen<std::string> any_stream() {
  const auto piece = rc::gen::elementOf(std::vector<std::string>{"data",
                                                                 "event",
                                                                 "id",
                                                                 ":",
                                                                 ": ",
                                                                 " ",
                                                                 "\n",
                                                                 "\n",
                                                                 "\r",
                                                                 "\r\n",
                                                                 "\n\n",
                                                                 "x",
                                                                 "\xEF\xBB\xBF",
                                                                 "\xEF",
                                                                 "ü"});
  return rc::gen::map(rc::gen::container<std::vector<std::string>>(piece), [](const auto& pieces) {
    std::string text;
    for (const std::string& part : pieces) {
      text += part;
    }
    return text;
  });
}

TEST(SseDecoder, events_do_not_depend_on_how_the_bytes_are_cut) {
  EXPECT_TRUE(rc::check([] {
    const std::string text = *any_stream();
    SseDecoder whole;
    const SseBatch expected = whole.feed(text);
    SseDecoder cut;
    SseBatch actual;
    std::string_view rest = text;
    while (!rest.empty()) {
      const std::size_t size = *rc::gen::inRange<std::size_t>(1, rest.size() + 1);
      RC_ASSERT(cut.feed("").events.empty());
      SseBatch batch = cut.feed(rest.substr(0, size));
      rest.remove_prefix(size);
      actual.comments += batch.comments;
      for (SseEvent& event : batch.events) {
        actual.events.push_back(std::move(event));
      }
    }
    RC_ASSERT(actual.events == expected.events);
    RC_ASSERT(actual.comments == expected.comments);
    RC_ASSERT(cut.at_boundary() == whole.at_boundary());
  }));
}

}  // namespace
}  // namespace sortie::wire
