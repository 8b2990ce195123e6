#include "sortie/base/time.h"
#include "sortie/http/curl_transport.h"
#include "sortie/http/server.h"
#include "sortie/http/test_peers.h"
#include "sortie/wire/message.h"
#include "sortie/wire/transport.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

// Answers that are read while they come.

namespace sortie::http {
namespace {

using std::chrono::milliseconds;
using wire::FailureKind;
using wire::Piece;

class Reader final : public wire::CompletionSink {
 public:
  void completed(wire::Completion completion) override {
    completions.push_back(std::move(completion));
  }

  Piece received(wire::ExchangeId id, const wire::Response& head, std::string_view piece) override {
    EXPECT_TRUE(completions.empty());
    status = head.status;
    content_type = head.headers.find("content-type").value_or("");
    text += piece;
    return judge(id, piece);
  }

  std::function<Piece(wire::ExchangeId, std::string_view)> judge =
      [](wire::ExchangeId, std::string_view) { return Piece::progress; };
  std::vector<wire::Completion> completions;
  std::string text;
  std::string content_type;
  int status = 0;
};

class CurlStream : public testing::Test {
 protected:
  void start(wire::Timeouts timeouts = {}, std::uint64_t id = 1) {
    wire::Request request = pair_.request();
    request.streamed = true;
    request.timeouts = timeouts;
    pair_.client->start(wire::ExchangeId{id}, std::move(request), reader_);
  }

  /// The server begins a stream and leaves it to the test.
  void serve_stream() {
    pair_.handler.on_request = [this](ServerRequest, ResponseSlot slot) {
      wire::Response head = answer("");
      slot.begin(head);
      slots_.push_back(std::move(slot));
    };
  }

  /// What goes on without an end until the client leaves.
  void say_every(base::Duration pause, std::string_view what) {
    pair_.loop->at(pair_.loop->now() + pause, [this, pause, what] {
      if (!slots_.empty() && !slots_[0].connected()) {
        return;
      }
      if (!slots_.empty()) {
        slots_[0].write(std::string(what));
      }
      say_every(pause, what);
    });
  }

  [[nodiscard]] bool until(const std::function<bool()>& done) {
    return run_until(*pair_.loop, done);
  }

  [[nodiscard]] std::string outcome() {
    EXPECT_TRUE(until([&] { return !reader_.completions.empty(); }));
    const auto& outcome = reader_.completions.at(0).outcome;
    return outcome ? "answer " + std::to_string(outcome->status)
                   : std::string(wire::to_string(outcome.error().kind));
  }

  Pair pair_;
  std::vector<ResponseSlot> slots_;
  Reader reader_;
};

TEST_F(CurlStream, pieces_arrive_while_the_answer_is_being_made) {
  serve_stream();
  start();
  ASSERT_TRUE(until([&] { return slots_.size() == 1; }));
  slots_[0].write("data: a\n\n");
  ASSERT_TRUE(until([&] { return reader_.text == "data: a\n\n"; }));
  EXPECT_EQ(reader_.status, 200);
  EXPECT_EQ(reader_.content_type, "text/plain");
  slots_[0].write("data: b\n\n");
  slots_[0].end();
  EXPECT_EQ(outcome(), "answer 200");
  EXPECT_EQ(reader_.text, "data: a\n\ndata: b\n\n");
  EXPECT_EQ(reader_.completions[0].outcome->body, "");
}

TEST_F(CurlStream, the_body_of_a_refusal_comes_with_its_completion) {
  pair_.handler.on_request = [](ServerRequest, ResponseSlot slot) {
    slot.respond(answer(R"({"error": {}})", 429));
  };
  start();
  EXPECT_EQ(outcome(), "answer 429");
  EXPECT_EQ(reader_.completions[0].outcome->body, R"({"error": {}})");
  EXPECT_EQ(reader_.text, "");
}

TEST_F(CurlStream, comments_for_ever_are_life_and_no_progress) {
  serve_stream();
  say_every(milliseconds(5), ": keep-alive\n\n");
  reader_.judge = [](wire::ExchangeId, std::string_view piece) {
    return piece.starts_with("data:") ? Piece::progress : Piece::life;
  };
  start({.liveness = std::chrono::seconds(5), .progress = milliseconds(80)});
  EXPECT_EQ(outcome(), "progress_timeout");
  EXPECT_NE(reader_.text, "");
}

TEST_F(CurlStream, tokens_put_the_limit_of_progress_off) {
  serve_stream();
  say_every(milliseconds(5), "data: x\n\n");
  start({.progress = milliseconds(100), .total = milliseconds(400)});
  EXPECT_EQ(outcome(), "total_timeout");
}

TEST_F(CurlStream, silence_after_the_first_token_ends_by_liveness) {
  serve_stream();
  start({.liveness = milliseconds(50), .progress = std::chrono::seconds(5)});
  ASSERT_TRUE(until([&] { return slots_.size() == 1; }));
  slots_[0].write("data: a\n\n");
  EXPECT_EQ(outcome(), "liveness_timeout");
}

TEST_F(CurlStream, a_reader_that_has_enough_ends_the_exchange) {
  serve_stream();
  reader_.judge = [](wire::ExchangeId, std::string_view) { return Piece::stop; };
  start();
  ASSERT_TRUE(until([&] { return slots_.size() == 1; }));
  slots_[0].write("data: a\n\n");
  EXPECT_EQ(outcome(), "cancelled");
  EXPECT_TRUE(until([&] { return !slots_[0].connected(); }));
}

TEST_F(CurlStream, a_reader_may_cancel_from_inside_and_hears_nothing_more) {
  serve_stream();
  reader_.judge = [this](wire::ExchangeId id, std::string_view) {
    pair_.client->cancel(id);
    return Piece::progress;
  };
  start();
  ASSERT_TRUE(until([&] { return slots_.size() == 1; }));
  slots_[0].write("data: a\n\n");
  slots_[0].write("data: b\n\n");
  slots_[0].end();
  EXPECT_EQ(outcome(), "cancelled");
  EXPECT_EQ(pair_.client->stats().open_connections, 0U);
}

TEST_F(CurlStream, cancelling_what_ends_at_once_spares_the_next_exchange_under_its_id) {
  /// Asks again, once, when it hears of the end.
  class Again final : public wire::CompletionSink {
   public:
    explicit Again(Pair& pair) : pair_(pair) {}

    void ask() {
      wire::Request request = pair_.request();
      request.streamed = true;
      pair_.client->start(wire::ExchangeId{1}, std::move(request), *this);
    }

    void completed(wire::Completion completion) override {
      good += completion.outcome.has_value() ? 1 : 0;
      if (++ended == 1) {
        ask();
      }
    }

    Piece received(wire::ExchangeId id, const wire::Response&, std::string_view) override {
      if (ended == 0) {
        pair_.client->cancel(id);
      }
      return Piece::progress;
    }

    int ended = 0;
    int good = 0;

   private:
    Pair& pair_;
  };

  // Head, body and end in one piece: all of it is there when the reader hears of it.
  pair_.handler.on_request = [](ServerRequest, ResponseSlot slot) { slot.respond(answer("x")); };
  Again again(pair_);
  again.ask();
  ASSERT_TRUE(until([&] { return again.ended == 2; }));
  EXPECT_EQ(again.good, 2);
}

TEST_F(CurlStream, a_reader_may_start_the_next_exchange_from_inside) {
  serve_stream();
  reader_.judge = [this](wire::ExchangeId id, std::string_view) {
    if (id.value == 1) {
      start({}, 2);
    }
    return Piece::progress;
  };
  start();
  ASSERT_TRUE(until([&] { return slots_.size() == 1; }));
  slots_[0].write("data: a\n\n");
  ASSERT_TRUE(until([&] { return slots_.size() == 2; }));
  slots_[0].end();
  slots_[1].end();
  EXPECT_TRUE(until([&] { return reader_.completions.size() == 2; }));
}

TEST_F(CurlStream, its_length_is_bounded_though_nothing_is_kept) {
  serve_stream();
  wire::Request request = pair_.request();
  request.streamed = true;
  request.answer_bytes_max = 1000;
  pair_.client->start(wire::ExchangeId{1}, std::move(request), reader_);
  ASSERT_TRUE(until([&] { return slots_.size() == 1; }));
  slots_[0].write(std::string(600, 'x'));
  slots_[0].write(std::string(600, 'x'));
  EXPECT_EQ(outcome(), "too_large");
}

TEST_F(CurlStream, an_answer_in_one_piece_comes_forward_only_by_its_end) {
  serve_stream();
  say_every(milliseconds(5), "x");
  wire::Request request = pair_.request();
  request.timeouts = {.liveness = std::chrono::seconds(5), .progress = milliseconds(80)};
  pair_.client->start(wire::ExchangeId{1}, std::move(request), reader_);
  EXPECT_EQ(outcome(), "progress_timeout");
}

}  // namespace
}  // namespace sortie::http
