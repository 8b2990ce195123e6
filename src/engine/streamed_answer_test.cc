#include "sortie/engine/streamed_answer.h"

#include "sortie/base/scrubber.h"
#include "sortie/base/secret.h"
#include "sortie/base/time.h"
#include "sortie/provider/dialect.h"
#include "sortie/wire/message.h"
#include "sortie/wire/transport.h"

#include <chrono>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace sortie::engine {
namespace {

using std::chrono::seconds;
using wire::Piece;

base::Instant at(int second) {
  return base::Instant(seconds(second));
}

wire::Response head() {
  wire::Response head;
  head.status = 200;
  head.headers.add("content-type", "text/event-stream");
  return head;
}

std::string delta(std::string_view members) {
  return "data: {\"choices\":[{\"index\":0,\"delta\":{" + std::string(members) + "}}]}\n\n";
}

constexpr std::string_view kEnd =
    "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";

class Streamed : public testing::Test {
 protected:
  Piece take(std::string_view piece, int second) { return answer_.take(head(), piece, at(second)); }

  /// Sent at 100 s.
  [[nodiscard]] sched::StreamTiming timing(int end) const {
    const wire::Completion completion{.id = {1},
                                      .outcome = {},
                                      .sent_at = at(100),
                                      .first_byte_at = at(100),
                                      .ended_at = at(end)};
    return answer_.timing(completion).stream.value();
  }

  StreamedAnswer answer_{provider::openai()};
};

TEST_F(Streamed, tokens_are_progress_and_signs_of_life_are_not) {
  EXPECT_EQ(take(": keep-alive\n\n", 110), Piece::life);
  EXPECT_EQ(take(delta(R"("role":"assistant","content":"","tool_calls":[])"), 112), Piece::life);
  EXPECT_EQ(take(delta(R"("reasoning_content":"hm")"), 120), Piece::progress);
  EXPECT_EQ(take(delta(R"("content":"yes")"), 130), Piece::progress);
  EXPECT_EQ(take(kEnd, 131), Piece::life);
  EXPECT_TRUE(answer_.is_over());
  const auto decoded = answer_.finish({}, base::Scrubber());
  ASSERT_TRUE(decoded.has_value());
  EXPECT_EQ(decoded->answer.text, "yes");
}

TEST_F(Streamed, times_its_first_token_and_its_longest_silence) {
  EXPECT_EQ(take(": keep-alive\n\n", 140), Piece::life);
  EXPECT_EQ(take(delta(R"("content":"yes")"), 165), Piece::progress);
  EXPECT_EQ(take(kEnd, 170), Piece::life);
  EXPECT_EQ(timing(171).first_token, seconds(65));
  EXPECT_EQ(timing(171).longest_silence, seconds(40));  // before the first byte
  EXPECT_EQ(timing(270).longest_silence, seconds(100));
  EXPECT_FALSE(timing(171).reasoned_openly);
}

TEST_F(Streamed, knows_reasoning_that_is_sent) {
  take(delta(R"("reasoning":"hm")"), 101);
  EXPECT_TRUE(timing(102).reasoned_openly);
}

TEST_F(Streamed, a_secret_that_comes_in_two_events_is_taken_out) {
  base::Scrubber scrubber;
  scrubber.add("k", base::Secret("sk-0123456789abcdef"));
  take(delta(R"("content":"my key is sk-01234567")"), 101);
  take(delta(R"("content":"89abcdef, is it?")"), 102);
  take(kEnd, 103);
  EXPECT_EQ(answer_.finish({}, scrubber)->answer.text, "my key is [secret:k], is it?");
}

}  // namespace
}  // namespace sortie::engine
