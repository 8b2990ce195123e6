#pragma once

#include "sortie/aio/loop.h"
#include "sortie/base/error.h"
#include "sortie/base/json.h"
#include "sortie/base/time.h"
#include "sortie/http/server.h"
#include "sortie/monitor/rates.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

// A run that goes on, for the page: its status as server-sent events. The ledger is not asked.

namespace sortie::monitor {

/// Who can tell of a run that goes on, and steer it: this process itself, or another one by its
/// control socket. Calls back once, on the loop, at once or later.
struct LiveSource {
  using StatusCallback = std::function<void(base::Result<json::Value>)>;  // as GET /v1/status
  using ControlCallback = std::function<void(wire::Response)>;            // of POST /v1/control

  std::function<void(StatusCallback)> status;
  std::function<void(std::string body, ControlCallback)> control;
};

/// What has to be merged into `from` so that it becomes `to`: of objects the members that differ;
/// of arrays of one length an object of the elements that differ, by position; else `to` itself.
/// nullopt if they are equal. Both must have the same members wherever both are objects.
[[nodiscard]] std::optional<json::Value> difference(const json::Value& from, const json::Value& to);

/// The status with numbers as exact as a page shows them (four digits), so that fewer of them
/// change, and with its member "rates": turns and tokens per second.
[[nodiscard]] json::Value page_state(json::Value status, Rates& rates);

/// One run's stream of events. "state" holds all of it, "patch" what changed since the last event,
/// "end" says that the run does not answer any more. One status is asked for a tick, however many
/// listen; a tick takes a second, or longer where the patches would exceed kBytesPerSecond.
class LiveFeed {
 public:
  static constexpr double kBytesPerSecond = 40'000;
  static constexpr std::size_t kListenersMax = 64;

  LiveFeed(aio::Loop& loop, LiveSource source);
  LiveFeed(const LiveFeed&) = delete;
  LiveFeed& operator=(const LiveFeed&) = delete;
  ~LiveFeed();

  /// Observes the run every ten seconds also while nobody listens, so that rates are known at once.
  void observe_always();

  /// Answers the request with the stream. 503 if too many listen.
  void listen(http::ResponseSlot slot);

  [[nodiscard]] LiveSource& source() { return source_; }

  [[nodiscard]] std::size_t listeners() const { return listeners_.size(); }

 private:
  struct Listener {
    std::uint64_t number = 0;
    http::ResponseSlot slot;
    bool needs_all = true;
  };

  void ask();
  void told(base::Result<json::Value> status);
  [[nodiscard]] std::size_t send(json::Value state);
  void end();
  void schedule(base::Duration after);

  aio::Loop& loop_;
  LiveSource source_;
  Rates rates_;
  bool always_ = false;
  bool asking_ = false;
  std::optional<aio::TimerId> timer_;
  std::optional<json::Value> state_;
  std::vector<Listener> listeners_;
  std::uint64_t next_listener_ = 0;
  // Callbacks that outlive the feed find it gone.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace sortie::monitor
