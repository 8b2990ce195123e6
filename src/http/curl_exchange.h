#pragma once

#include "sortie/aio/loop.h"
#include "sortie/base/error.h"
#include "sortie/base/time.h"
#include "sortie/wire/message.h"
#include "sortie/wire/patience.h"
#include "sortie/wire/transport.h"
#include "sortie/wire/url.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <curl/curl.h>

// Internal to http: one request on its way through libcurl.

namespace sortie::http {

class Exchange;

/// What is the same for every request of a transport.
struct EasyDefaults {
  CURLSH* share = nullptr;
  std::string ca_file;
  std::string user_agent;
  std::string unix_path;
  base::Duration idle_max{};
  std::size_t header_bytes_max = 0;
  void* owner = nullptr;  // the first argument of what follows
  curl_socket_t (*open_socket)(void* owner,
                               Exchange& exchange,
                               const curl_sockaddr& address) = nullptr;
  curl_closesocket_callback close_socket = nullptr;
  /// Called, from inside libcurl, when an exchange enters a phase in which its next limit may be
  /// earlier.
  void (*phase_changed)(void* owner, Exchange& exchange) = nullptr;
};

/// Whether the requests of an origin can share its connections.
enum class Sharing : std::uint8_t {
  none,     // HTTP/1.1, or a libcurl that cannot
  unknown,  // TLS will negotiate it
  streams,  // HTTP/2
};

/// Who shares connections, and who waits for one of them.
struct Origin {
  Sharing sharing = Sharing::none;
  std::size_t busy = 0;        // exchanges that libcurl has
  std::size_t connecting = 0;  // of these, without a connection yet
  std::size_t sockets = 0;     // open
  std::size_t usable = 0;      // of these, connections that take streams
  std::size_t silent = 0;      // and those that will soon
  std::size_t connections_max = 0;
  std::list<Exchange*> waiting;
};

/// Descriptors are numbers that come back; `number` never does.
struct OpenedSocket {
  int descriptor = -1;
  std::uint64_t number = 0;
};

/// An easy handle with the request it carries and the answer it collects. Used again for request
/// after request: only what differs is set anew.
class Exchange {
 public:
  using Phase = wire::Patience::Phase;

  Exchange(aio::Loop& loop, const EasyDefaults& defaults);
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;
  ~Exchange() = default;

  /// Takes a request over. On an error the request cannot be sent and must be finished with its
  /// message.
  [[nodiscard]] base::Status prepare(wire::ExchangeId id,
                                     wire::Request request,
                                     wire::CompletionSink& sink);

  /// A connection slot was given to it: the connect limit starts.
  void begin();

  /// Its reader hears of nothing more; from inside libcurl, where it cannot be ended yet.
  void silence() { stopped_ = true; }

  [[nodiscard]] bool is_silenced() const { return stopped_; }

  [[nodiscard]] CURL* easy() const { return easy_.get(); }

  [[nodiscard]] wire::ExchangeId id() const { return id_; }

  [[nodiscard]] wire::CompletionSink& sink() const { return *sink_; }

  [[nodiscard]] Phase phase() const { return patience_.phase(); }

  /// "scheme://host:port": who shares connections.
  [[nodiscard]] const std::string& origin() const { return origin_; }

  /// See wire::Patience.
  [[nodiscard]] bool wants_look(base::Instant now,
                                base::Duration shortest,
                                base::Duration longest) {
    return patience_.wants_look(now, shortest, longest);
  }

  /// When the next limit passes unless something happens first.
  [[nodiscard]] std::optional<base::Instant> next_limit() const { return patience_.next_limit(); }

  /// The limit that has passed.
  [[nodiscard]] std::optional<wire::Failure> passed_limit(base::Instant now) const {
    return patience_.passed(now, origin_);
  }

  /// The completion after libcurl is done, and after we are.
  [[nodiscard]] wire::Completion finish(CURLcode code);
  [[nodiscard]] wire::Completion finish(wire::Failure failure);

  /// Frees what the request held, once libcurl has let go of it.
  void release();

  /// As its request wants it; nullopt: as the transport does.
  [[nodiscard]] std::optional<std::size_t> connections_max() const;

  /// HTTP/1.1, or HTTP/2 for certain or perhaps.
  [[nodiscard]] Sharing sharing() const { return sharing_; }

  /// On a connection of its own, what TLS negotiated with it.
  [[nodiscard]] std::optional<Sharing> negotiated() const { return negotiated_; }

  // Owned by the transport.
  Origin* place = nullptr;
  std::uint64_t arrival = 0;              // numbers them in the order of start()
  bool launched = false;                  // libcurl has it
  bool connecting = false;                // counted in its place
  std::vector<OpenedSocket> sockets_new;  // for it
  std::list<Exchange*>::iterator queue_position;
  std::optional<aio::TimerId> limit_timer;
  base::Instant limit_timer_at;

 private:
  static std::size_t on_body(char* data, std::size_t size, std::size_t count, void* self);
  static std::size_t on_header(char* data, std::size_t size, std::size_t count, void* self);
  static int on_ready_to_send(void* self, char* peer, char* local, int peer_port, int local_port);
  static curl_socket_t on_open_socket(void* self, curlsocktype purpose, curl_sockaddr* address);
  static int on_trace(CURL* easy, curl_infotype type, char* data, std::size_t size, void* self);

  void take_trace(std::string_view text);
  [[nodiscard]] bool refused_unread() const;
  int ready_to_send();
  std::size_t take_body(std::string_view piece);
  bool hand_on(std::string_view piece);
  std::size_t take_header(std::string_view line);
  void set_defaults(const EasyDefaults& defaults);
  base::Status set_url();
  void set_access(const wire::Url& url);
  base::Status set_headers();
  void set_method();
  [[nodiscard]] wire::Failure failure_of(CURLcode code) const;
  [[nodiscard]] wire::FailureKind kind_of(CURLcode code) const;
  [[nodiscard]] std::string_view advice_on_certificate(CURLcode code) const;
  [[nodiscard]] wire::Completion completion(std::expected<wire::Response, wire::Failure> outcome);

  struct EasyDeleter {
    void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
  };

  aio::Loop& loop_;
  std::size_t header_bytes_max_;
  void* owner_;
  void (*phase_changed_)(void* owner, Exchange& exchange);
  curl_socket_t (*open_socket_)(void* owner, Exchange& exchange, const curl_sockaddr& address);
  std::array<char, CURL_ERROR_SIZE> error_text_{};
  std::unique_ptr<CURL, EasyDeleter> easy_;

  wire::ExchangeId id_;
  wire::CompletionSink* sink_ = nullptr;
  wire::Request request_;
  std::string origin_;
  std::string url_set_;                             // what CURLOPT_URL holds
  std::shared_ptr<const wire::Access> access_set_;  // of the last request: see wire::Request
  std::string ca_file_;                             // where an access names none
  wire::Patience patience_;
  Sharing sharing_ = Sharing::none;
  std::optional<Sharing> negotiated_;
  std::string header_text_;
  std::vector<curl_slist> header_nodes_;

  bool sent_before_ = false;     // a sending began before this one: libcurl tries again
  bool resend_refused_ = false;  // and we stopped it
  bool peer_refused_ = false;    // HTTP/2: the peer said that it did not work on it
  bool closed_early_ = false;    // HTTP/2: answered in whole before the request was sent in whole
  std::optional<std::uint32_t> stream_;       // HTTP/2: its number
  std::optional<std::uint32_t> stream_last_;  // HTTP/2: the last that a leaving peer answers
  bool stopped_ = false;                      // by who reads the stream
  bool too_large_ = false;
  std::size_t body_bytes_ = 0;
  bool head_complete_ = false;  // libcurl takes a head that was cut off for a whole one
  std::size_t header_bytes_ = 0;
  wire::Response response_;
  base::Instant sent_at_;
  base::Instant first_byte_at_;
};

}  // namespace sortie::http
