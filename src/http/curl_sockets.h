#pragma once

#include "sortie/base/time.h"
#include "sortie/http/curl_exchange.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace sortie::http {

/// What is known of a descriptor that libcurl uses.
struct CurlSocket {
  bool ours = false;  // a connection, counted by CurlSockets; others are libcurl's inner affairs
  bool busy = false;
  bool dead = false;    // shut down while idle; libcurl will find out and close it
  bool usable = false;  // counted in its origin
  bool silent = false;  // connected, and no byte came yet
  base::Instant idle_since;
  Origin* origin = nullptr;
  std::uint64_t number = 0;  // of all that were opened
  std::uint64_t cookie = 0;  // the system's, of what the descriptor was
};

/// The sockets of libcurl's connections, by descriptor, and how many are in which state: the books
/// alone. Who watches a descriptor, shuts it down and closes it is not their business.
class CurlSockets {
 public:
  struct Counts {
    std::size_t open = 0;  // busy, idle or dead
    std::size_t idle = 0;
    std::size_t dead = 0;
    std::uint64_t opened = 0;  // in all
  };

  /// Valid until the next at() or opened().
  [[nodiscard]] CurlSocket& at(int descriptor);

  /// Descriptors that may hold one.
  [[nodiscard]] int end() const { return static_cast<int>(sockets_.size()); }

  [[nodiscard]] const Counts& counts() const { return counts_; }

  /// A connection for an exchange of this origin, busy.
  OpenedSocket opened(int descriptor, Origin& origin);

  /// It goes to the pool, comes out of it, or is shut down there.
  void rest(CurlSocket& socket, base::Instant now);
  void work(CurlSocket& socket);
  void die(CurlSocket& socket);

  /// It is closed.
  void forget(int descriptor);

  /// libcurl has closed it without a word; its descriptor may be another file's by now.
  [[nodiscard]] bool is_gone(const OpenedSocket& opened);

  /// Of a connection of HTTP/2: that no byte of its peer came yet, and that it takes streams.
  static void begin_silence(CurlSocket& socket);
  static bool end_silence(CurlSocket& socket);
  static void set_usable(CurlSocket& socket, bool usable);

 private:
  std::vector<CurlSocket> sockets_;  // by descriptor: dense and small
  Counts counts_;
};

}  // namespace sortie::http
