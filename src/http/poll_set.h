#pragma once

#include "sortie/aio/loop.h"
#include "sortie/base/time.h"

#include <cstdint>
#include <functional>
#include <memory>

namespace sortie::http {

/// The sockets of a client, watched through one epoll set that the loop sees as a single
/// descriptor. Compared with a descriptor of Asio's for each: a socket stays registered while it
/// changes between busy and idle (no system call per request), an idle one can be watched for the
/// peer's FIN alone, and watching does not keep the loop running.
class PollSet {
 public:
  struct Callbacks {
    /// `events` are EPOLL… bits. Level triggered.
    std::function<void(int descriptor, std::uint32_t events)> ready;
    std::function<void()> alarm;
    /// After a batch of the two above.
    std::function<void()> batch_done;
  };

  PollSet(aio::Loop& loop, Callbacks callbacks);
  PollSet(const PollSet&) = delete;
  PollSet& operator=(const PollSet&) = delete;
  ~PollSet();

  /// Which EPOLL… bits to watch; 0 forgets the descriptor. Free of charge if nothing changes. To be
  /// forgotten before it is closed. Errors and hang-ups are always reported while anything is
  /// watched.
  void watch(int descriptor, std::uint32_t events);

  /// Calls Callbacks::alarm once, after `delay`. A later call replaces an earlier one. Does not
  /// keep the loop running.
  void set_alarm(base::Duration delay);

 private:
  struct Core;
  // Shared with the pending wait, which outlives the set by one turn of the loop.
  std::shared_ptr<Core> core_;
};

}  // namespace sortie::http
