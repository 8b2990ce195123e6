#pragma once

#include "sortie/aio/loop.h"
#include "sortie/base/json.h"
#include "sortie/base/random.h"
#include "sortie/base/time.h"
#include "sortie/wire/transport.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <fmt/format.h>

// A campaign without a network: answers that were made beforehand.

namespace sortie::bench {

inline constexpr std::size_t kTurns = 10;  // of a pilot dialogue (docs/design/benchmark.md)

/// Complete HTTP answers, each of 300 bytes to 4 KB, log-uniform: prose and a command that searches
/// for a tool. A dialogue of such answers goes on until its last one finishes it. No two are alike:
/// the ledger stores equal answers once.
class Answers {
 public:
  explicit Answers(std::size_t dialogues) {
    for (std::size_t i = 0; i < dialogues * (kTurns - 1); ++i) {
      going_on_.push_back(body(prose() + "<find_tool>" +
                               fmt::format("number {:x}", random_.bits()) + "</find_tool>"));
    }
    for (std::size_t i = 0; i < dialogues; ++i) {
      ending_.push_back(body(prose() + "<finish>done</finish>"));
    }
  }

  [[nodiscard]] const std::string& next(bool last) {
    return last ? ending_[ended_++ % ending_.size()] : going_on_[went_on_++ % going_on_.size()];
  }

 private:
  std::string prose() {
    const auto size = static_cast<std::size_t>(300.0 * std::pow(4096.0 / 300.0, random_.uniform()));
    std::string prose;
    while (prose.size() < size) {
      prose += fmt::format("step {} of the plan needs {:x}; ", prose.size(), random_.bits());
    }
    return prose;
  }

  static std::string body(const std::string& text) {
    std::string json =
        R"({"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"bench","choices":[{"index":0,)"
        R"("finish_reason":"stop","message":{"role":"assistant","content":)";
    json::append_quoted(json, text);
    return json +
           R"(}}],"usage":{"prompt_tokens":2500,"completion_tokens":300,"total_tokens":2800}})";
  }

  base::RandomStream random_{base::digest_of("engine_bench")};
  std::vector<std::string> going_on_;
  std::vector<std::string> ending_;
  std::size_t went_on_ = 0;
  std::size_t ended_ = 0;
};

/// Answers exchanges in the order of their starts: one each `interval`, like a provider that lets
/// so much through, or without one at the next turn of the loop. The first `staggered` dialogues
/// end after 1 to kTurns turns, so that after kTurns turns of each dialogues of every age are open.
class ReplayTransport final : public wire::Transport {
 public:
  ReplayTransport(aio::Loop& loop,
                  Answers& answers,
                  base::Duration interval = {},
                  std::size_t staggered = 0)
      : loop_(loop), answers_(answers), interval_(interval), staggered_(staggered) {}

  void start(wire::ExchangeId id, wire::Request request, wire::CompletionSink& sink) override {
    request_bytes_ += request.body.size();
    ++requests_;
    // "key/turn/attempt": the turn decides whether the dialogue ends.
    const std::string_view header = *request.headers.find("X-Sortie-Attempt");
    const std::size_t slash = header.find('/');
    std::size_t turn = 0;
    std::from_chars(header.data() + slash + 1, header.data() + header.size(), turn);
    wire::Response response;
    response.status = 200;
    response.headers.add("content-type", "application/json");
    response.body = answers_.next(turn + 1 >= turns_of(header.substr(0, slash)));
    last_ended_at_ = std::max(last_ended_at_, loop_.now()) + interval_;
    ready_.push_back({.id = id,
                      .outcome = std::move(response),
                      .sent_at = loop_.now(),
                      .first_byte_at = last_ended_at_,
                      .ended_at = last_ended_at_});
    sink_ = &sink;
    if (ready_.size() == 1) {
      deliver_later();
    }
  }

  void cancel(wire::ExchangeId /*id*/) override {}

  [[nodiscard]] std::uint64_t requests() const { return requests_; }

  [[nodiscard]] std::uint64_t request_bytes() const { return request_bytes_; }

 private:
  std::size_t turns_of(std::string_view dialogue) {
    if (lengths_.size() < staggered_) {
      lengths_.try_emplace(std::string(dialogue), 1 + (lengths_.size() % kTurns));
    }
    const auto found = lengths_.find(std::string(dialogue));
    return found == lengths_.end() ? kTurns : found->second;
  }

  void deliver_later() {
    if (interval_ == base::Duration::zero()) {
      loop_.post([this] { deliver(); });
    } else {
      loop_.at(std::max(ready_.front().ended_at, loop_.now() + kTick), [this] { deliver(); });
    }
  }

  /// What is due.
  void deliver() {
    std::vector<wire::Completion> due;
    while (!ready_.empty() && ready_.front().ended_at <= loop_.now()) {
      due.push_back(std::move(ready_.front()));
      ready_.pop_front();
    }
    if (!ready_.empty()) {
      deliver_later();
    }
    for (wire::Completion& completion : due) {
      sink_->completed(std::move(completion));
    }
  }

  static constexpr base::Duration kTick = std::chrono::milliseconds(1);

  aio::Loop& loop_;
  Answers& answers_;
  base::Duration interval_;
  std::size_t staggered_;
  std::unordered_map<std::string, std::size_t> lengths_;  // of the staggered ones
  base::Instant last_ended_at_;
  wire::CompletionSink* sink_ = nullptr;
  std::deque<wire::Completion> ready_;
  std::uint64_t requests_ = 0;
  std::uint64_t request_bytes_ = 0;
};

}  // namespace sortie::bench
