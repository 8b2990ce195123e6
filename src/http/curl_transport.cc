#include "sortie/http/curl_transport.h"

#include "sortie/aio/loop.h"
#include "sortie/base/check.h"
#include "sortie/base/error.h"
#include "sortie/base/time.h"
#include "sortie/http/curl_exchange.h"
#include "sortie/http/poll_set.h"
#include "sortie/http/socket_path.h"
#include "sortie/wire/message.h"
#include "sortie/wire/transport.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include <curl/curl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace sortie::http {
namespace {

// An easy handle without a transfer holds a few KiB; more of them than this are given back.
constexpr std::size_t kSpareExchangesMax = 512;
constexpr std::size_t kOriginsRememberedMax = 256;
// How long a new connection of HTTP/2 may keep its peer's settings back.
constexpr base::Duration kSettingsPatience = std::chrono::seconds(1);
constexpr std::uint32_t kIdleEvents = EPOLLIN | EPOLLRDHUP;

void initialise_curl() {
  // The library's own state; initialising it is thread-safe only through a static like this.
  static const CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);
  CHECK(code == CURLE_OK);
}

/// Never given twice by the system; 0 of what is no socket.
std::uint64_t cookie_of(int descriptor) {
  std::uint64_t cookie = 0;
  socklen_t size = sizeof cookie;
  return ::getsockopt(descriptor, SOL_SOCKET, SO_COOKIE, &cookie, &size) == 0 ? cookie : 0;
}

struct MultiDeleter {
  void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
};

struct ShareDeleter {
  void operator()(CURLSH* share) const { curl_share_cleanup(share); }
};

}  // namespace

class CurlTransport::Impl {
 public:
  Impl(aio::Loop& loop, Options options);
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl();

  void start(wire::ExchangeId id, wire::Request request, wire::CompletionSink& sink);
  void cancel(wire::ExchangeId id);
  [[nodiscard]] Stats stats() const;

 private:
  struct Socket {
    bool ours =
        false;  // a connection, opened through open_socket; others are libcurl's inner affairs
    bool busy = false;
    bool dead = false;    // shut down while idle; libcurl will find out and close it
    bool usable = false;  // counted in its origin
    bool silent = false;  // connected, and no byte came yet
    base::Instant idle_since;
    Origin* origin = nullptr;
    std::uint64_t number = 0;  // of all that were opened
    std::uint64_t cookie = 0;  // the system's, of what the descriptor was
  };

  struct Delivery {
    wire::Completion completion;
    wire::CompletionSink* sink;
  };

  static int on_socket(CURL* easy, curl_socket_t descriptor, int what, void* self, void* unused);
  static int on_timer(CURLM* multi, long timeout_ms, void* self);
  static curl_socket_t open_socket(void* self, Exchange& exchange, const curl_sockaddr& address);
  static int close_socket(void* self, curl_socket_t descriptor);
  static void phase_changed(void* self, Exchange& exchange);

  void create_multi();
  void replace_dead_pool();

  void connected(Exchange& exchange);
  void heard_of(Socket& socket);
  static void set_usable(Socket& socket, bool usable);
  static bool end_silence(Socket& socket);
  void watch_socket(int descriptor, int what);
  void socket_ready(int descriptor, std::uint32_t events);
  void idle_socket_ready(int descriptor, std::uint32_t events);
  void retire(int descriptor);
  void retire_aged();
  Socket& socket(int descriptor);
  void forget(int descriptor);
  void forget_closed(const std::vector<OpenedSocket>& opened);

  void set_curl_timer(long timeout_ms);
  void arm_curl_timer();
  void kick();
  void act(int descriptor, int mask);

  [[nodiscard]] std::unique_ptr<Exchange> take_exchange();
  void enqueue(std::unique_ptr<Exchange> exchange);
  [[nodiscard]] bool has_slot(const Origin& origin, std::size_t ahead) const;
  [[nodiscard]] bool holds(const Origin& origin) const;
  void hold(Origin& origin);
  void launch(Exchange& exchange);
  void launch_waiting();
  void limit_reached(wire::ExchangeId id);
  void arm_limit(Exchange& exchange);
  void abort(Exchange& exchange, wire::Failure failure);
  void settle(Exchange& exchange, wire::Completion completion);
  void drain();
  void deliver();
  void deliver_soon();

  template <class Function>
  aio::Loop::Callback guarded(Function function);

  aio::Loop& loop_;
  Options options_;
  SocketPath unix_path_;
  std::unique_ptr<CURLSH, ShareDeleter> share_;
  std::vector<Socket> sockets_;  // by descriptor: dense and small
  PollSet poll_;
  std::unordered_map<wire::ExchangeId, std::unique_ptr<Exchange>> exchanges_;
  std::vector<std::unique_ptr<Exchange>> spare_;
  std::unique_ptr<CURLM, MultiDeleter> multi_;
  std::map<std::string, Origin> origins_;
  std::size_t busy_ = 0;  // exchanges that libcurl has
  std::size_t waiting_ = 0;
  Stats counters_;
  std::size_t dead_sockets_ = 0;
  bool alarm_set_ = false;
  // libcurl is at work: from inside its callbacks, readers' included, exchanges neither begin nor
  // end.
  bool inside_curl_ = false;

  std::optional<base::Instant> curl_due_;
  std::optional<base::Instant> curl_timer_at_;
  aio::TimerId curl_timer_;
  bool kick_posted_ = false;

  std::vector<Delivery> outbox_;
  bool delivery_posted_ = false;
  aio::Loop::Work work_;
  // Shared with callbacks on their way through the loop, which find out by it that the transport is
  // gone.
  std::shared_ptr<const bool> alive_ = std::make_shared<const bool>(true);
};

template <class Function>
aio::Loop::Callback CurlTransport::Impl::guarded(Function function) {
  return [alive = std::weak_ptr(alive_), function = std::move(function)]() mutable {
    if (!alive.expired()) {
      function();
    }
  };
}

CurlTransport::Impl::Impl(aio::Loop& loop, Options options)
    : loop_(loop),
      options_(std::move(options)),
      poll_(loop,
            {[this](int descriptor, std::uint32_t events) { socket_ready(descriptor, events); },
             [this] { retire_aged(); },
             [this] { drain(); }}) {
  initialise_curl();
  if (auto path = SocketPath::of(options_.unix_path)) {
    unix_path_ = std::move(*path);
  }
  share_.reset(curl_share_init());
  CHECK(share_ != nullptr);
  CHECK(curl_share_setopt(share_.get(), CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION) == CURLSHE_OK);
  create_multi();
}

CurlTransport::Impl::~Impl() {
  for (auto& [id, exchange] : exchanges_) {
    if (exchange->launched) {
      curl_multi_remove_handle(multi_.get(), exchange->easy());
    }
    if (const auto timer = exchange->limit_timer) {
      loop_.cancel(*timer);
    }
  }
  if (curl_timer_at_) {
    loop_.cancel(curl_timer_);
  }
  // Connections close through callbacks into this object, and handles must go before what they
  // share.
  multi_.reset();
  exchanges_.clear();
  spare_.clear();
}

void CurlTransport::Impl::create_multi() {
  multi_.reset(curl_multi_init());
  CHECK(multi_ != nullptr);
  CURLM* multi = multi_.get();
  curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, &Impl::on_socket);
  curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, this);
  curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, &Impl::on_timer);
  curl_multi_setopt(multi, CURLMOPT_TIMERDATA, this);
  curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, static_cast<long>(options_.connections_max));
  curl_multi_setopt(multi,
                    CURLMOPT_MAX_CONCURRENT_STREAMS,
                    static_cast<long>(options_.streams_per_connection_max));
}

/// libcurl closes dead pooled connections only when it opens the next one. At rest there is no next
/// one, so the whole pool goes once nothing in it lives.
void CurlTransport::Impl::replace_dead_pool() {
  if (busy_ > 0 || dead_sockets_ == 0 || dead_sockets_ < counters_.open_connections) {
    return;
  }
  multi_.reset();
  curl_due_.reset();
  create_multi();
}

// --- Sockets ---

CurlTransport::Impl::Socket& CurlTransport::Impl::socket(int descriptor) {
  const auto index = static_cast<std::size_t>(descriptor);
  if (index >= sockets_.size()) {
    sockets_.resize(index + 1);
  }
  return sockets_[index];
}

curl_socket_t CurlTransport::Impl::open_socket(void* self,
                                               Exchange& exchange,
                                               const curl_sockaddr& address) {
  auto& impl = *static_cast<Impl*>(self);
  const int descriptor =
      ::socket(address.family, address.socktype | SOCK_CLOEXEC, address.protocol);
  if (descriptor < 0) {
    return CURL_SOCKET_BAD;
  }
  impl.forget(descriptor);
  Socket& socket = impl.socket(descriptor);
  socket.ours = true;
  socket.busy = true;
  socket.cookie = cookie_of(descriptor);
  socket.origin = exchange.place;
  ++impl.counters_.open_connections;
  socket.number = ++impl.counters_.connections_opened;
  ++socket.origin->sockets;
  exchange.sockets_new.push_back({.descriptor = descriptor, .number = socket.number});
  return descriptor;
}

int CurlTransport::Impl::close_socket(void* self, curl_socket_t descriptor) {
  static_cast<Impl*>(self)->forget(descriptor);
  return ::close(descriptor);
}

void CurlTransport::Impl::forget(int descriptor) {
  Socket& entry = socket(descriptor);
  poll_.watch(descriptor, 0);
  if (entry.ours) {
    --counters_.open_connections;
    counters_.idle_connections -= !entry.busy && !entry.dead ? 1 : 0;
    dead_sockets_ -= entry.dead ? 1 : 0;
    end_silence(entry);
    set_usable(entry, false);
    --entry.origin->sockets;
  }
  entry = {};
}

/// A socket that did not get connected libcurl may close without a word (7.88 does). Its descriptor
/// may be another file's by now.
void CurlTransport::Impl::forget_closed(const std::vector<OpenedSocket>& opened) {
  for (const auto& [descriptor, number] : opened) {
    const Socket& entry = socket(descriptor);
    if (entry.number == number && entry.cookie != cookie_of(descriptor)) {
      forget(descriptor);
    }
  }
}

void CurlTransport::Impl::set_usable(Socket& socket, bool usable) {
  if (std::exchange(socket.usable, usable) == usable) {
    return;
  }
  if (usable) {
    ++socket.origin->usable;
  } else {
    --socket.origin->usable;
  }
}

bool CurlTransport::Impl::end_silence(Socket& socket) {
  if (!std::exchange(socket.silent, false)) {
    return false;
  }
  --socket.origin->silent;
  return true;
}

/// A connection of HTTP/2 takes further streams once the peer has said how many, which are its
/// first bytes; or, if they are long in coming, without.
void CurlTransport::Impl::connected(Exchange& exchange) {
  if (!std::exchange(exchange.connecting, false)) {
    return;
  }
  Origin& origin = *exchange.place;
  --origin.connecting;
  const std::optional<Sharing> negotiated = exchange.negotiated();
  if (exchange.sharing() == Sharing::unknown && negotiated.has_value()) {
    origin.sharing = *negotiated;
  }
  forget_closed(exchange.sockets_new);
  for (const auto& [descriptor, opened] : std::exchange(exchange.sockets_new, {})) {
    Socket& entry = socket(descriptor);
    if (entry.number == opened && !entry.silent && origin.sharing == Sharing::streams) {
      entry.silent = true;
      ++origin.silent;
      loop_.at(loop_.now() + kSettingsPatience, guarded([this, descriptor, number = entry.number] {
                 if (socket(descriptor).number == number) {
                   heard_of(socket(descriptor));
                 }
               }));
    }
  }
  if (!origin.waiting.empty()) {
    deliver_soon();
  }
}

void CurlTransport::Impl::heard_of(Socket& socket) {
  if (!end_silence(socket)) {
    return;
  }
  set_usable(socket, true);
  if (!socket.origin->waiting.empty()) {
    deliver_soon();
  }
}

int CurlTransport::Impl::on_socket(
    CURL* /*easy*/, curl_socket_t descriptor, int what, void* self, void* /*unused*/) {
  static_cast<Impl*>(self)->watch_socket(descriptor, what);
  return 0;
}

void CurlTransport::Impl::watch_socket(int descriptor, int what) {
  Socket& entry = socket(descriptor);
  if (what == CURL_POLL_REMOVE) {
    if (!entry.ours) {
      poll_.watch(descriptor, 0);
    } else if (entry.busy) {
      // Back in the pool, or about to be closed: libcurl does not look at it, so we do.
      entry.busy = false;
      if (entry.dead) {
        return;
      }
      entry.idle_since = loop_.now();
      ++counters_.idle_connections;
      poll_.watch(descriptor, kIdleEvents);
      if (!std::exchange(alarm_set_, true)) {
        poll_.set_alarm(options_.idle_max);
      }
    }
    return;
  }
  if (entry.ours && !entry.busy) {
    entry.busy = true;
    if (!entry.dead) {
      --counters_.idle_connections;
    }
  }
  std::uint32_t events = 0;
  events |= (what & CURL_POLL_IN) != 0 ? kIdleEvents : 0U;
  events |= (what & CURL_POLL_OUT) != 0 ? std::uint32_t{EPOLLOUT} : 0U;
  poll_.watch(descriptor, events);
}

void CurlTransport::Impl::socket_ready(int descriptor, std::uint32_t events) {
  Socket& entry = socket(descriptor);
  if (entry.ours && !entry.busy) {
    idle_socket_ready(descriptor, events);
    return;
  }
  const bool heard = entry.silent && (events & EPOLLIN) != 0;
  const std::uint64_t number = entry.number;
  int mask = 0;
  mask |= (events & (EPOLLIN | EPOLLRDHUP)) != 0 ? CURL_CSELECT_IN : 0;
  mask |= (events & EPOLLOUT) != 0 ? CURL_CSELECT_OUT : 0;
  mask |= (events & (EPOLLERR | EPOLLHUP)) != 0 ? CURL_CSELECT_ERR : 0;
  act(descriptor, mask);
  if (heard && socket(descriptor).number == number) {
    heard_of(socket(descriptor));
  }
}

void CurlTransport::Impl::idle_socket_ready(int descriptor, std::uint32_t events) {
  if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) {
    retire(descriptor);
  } else {
    // TLS tickets or HTTP/2 frames, which libcurl reads when it uses the connection again.
    poll_.watch(descriptor, EPOLLRDHUP);
  }
}

/// Takes an idle connection out of service. The descriptor is libcurl's to close; after the
/// shutdown the kernel is in no CLOSE_WAIT, and libcurl's own check before it uses a connection
/// again finds it dead.
void CurlTransport::Impl::retire(int descriptor) {
  Socket& entry = socket(descriptor);
  poll_.watch(descriptor, 0);
  ::shutdown(descriptor, SHUT_RDWR);
  entry.dead = true;
  end_silence(entry);
  set_usable(entry, false);
  ++dead_sockets_;
  --counters_.idle_connections;
}

void CurlTransport::Impl::retire_aged() {
  alarm_set_ = false;
  const base::Instant now = loop_.now();
  std::optional<base::Instant> next;
  for (std::size_t i = 0; i < sockets_.size(); ++i) {
    const Socket& entry = sockets_[i];
    if (!entry.ours || entry.busy || entry.dead) {
      continue;
    }
    const base::Instant due = entry.idle_since + options_.idle_max;
    if (due <= now) {
      retire(static_cast<int>(i));
    } else if (!next || due < *next) {
      next = due;
    }
  }
  if (next) {
    alarm_set_ = true;
    poll_.set_alarm(*next - now);
  }
}

// --- libcurl's timer ---

int CurlTransport::Impl::on_timer(CURLM* /*multi*/, long timeout_ms, void* self) {
  static_cast<Impl*>(self)->set_curl_timer(timeout_ms);
  return 0;
}

void CurlTransport::Impl::set_curl_timer(long timeout_ms) {
  if (timeout_ms < 0) {
    curl_due_.reset();
    return;
  }
  if (timeout_ms > 0) {
    curl_due_ = loop_.now() + std::chrono::milliseconds(timeout_ms);
    arm_curl_timer();
    return;
  }
  curl_due_.reset();
  if (!std::exchange(kick_posted_, true)) {
    loop_.post(guarded([this] {
      kick_posted_ = false;
      kick();
    }));
  }
}

/// A timer that is set earlier than needed is left alone: it finds nothing due and is set again.
void CurlTransport::Impl::arm_curl_timer() {
  if (!curl_due_ || (curl_timer_at_ && *curl_timer_at_ <= *curl_due_)) {
    return;
  }
  if (curl_timer_at_) {
    loop_.cancel(curl_timer_);
  }
  curl_timer_at_ = curl_due_;
  curl_timer_ = loop_.at(*curl_due_, [this] {
    curl_timer_at_.reset();
    if (curl_due_ && *curl_due_ <= loop_.now()) {
      curl_due_.reset();
      kick();
    } else {
      arm_curl_timer();
    }
  });
}

void CurlTransport::Impl::kick() {
  act(CURL_SOCKET_TIMEOUT, 0);
  drain();
}

void CurlTransport::Impl::act(int descriptor, int mask) {
  int running = 0;
  inside_curl_ = true;
  curl_multi_socket_action(multi_.get(), descriptor, mask, &running);
  inside_curl_ = false;
}

// --- Exchanges ---

std::unique_ptr<Exchange> CurlTransport::Impl::take_exchange() {
  if (!spare_.empty()) {
    std::unique_ptr<Exchange> exchange = std::move(spare_.back());
    spare_.pop_back();
    return exchange;
  }
  EasyDefaults defaults;
  defaults.share = share_.get();
  defaults.ca_file = options_.ca_file;
  defaults.user_agent = options_.user_agent;
  defaults.unix_path = unix_path_.text();
  defaults.idle_max = options_.idle_max;
  defaults.header_bytes_max = options_.header_bytes_max;
  defaults.owner = this;
  defaults.open_socket = &Impl::open_socket;
  defaults.close_socket = &Impl::close_socket;
  defaults.phase_changed = &Impl::phase_changed;
  return std::make_unique<Exchange>(loop_, defaults);
}

void CurlTransport::Impl::start(wire::ExchangeId id,
                                wire::Request request,
                                wire::CompletionSink& sink) {
  CHECK(!exchanges_.contains(id));
  if (exchanges_.empty() && outbox_.empty()) {
    work_ = aio::Loop::Work(loop_);
  }
  std::unique_ptr<Exchange> exchange = take_exchange();
  Exchange& started = *exchange;
  const base::Status ready = started.prepare(id, std::move(request), sink);
  exchanges_.emplace(id, std::move(exchange));
  Origin& origin = origins_[started.origin()];
  if (origin.sharing == Sharing::none && origin.sockets == 0) {
    origin.sharing = started.sharing();
  }
  started.place = &origin;
  started.launched = false;
  started.queue_position = origin.waiting.insert(origin.waiting.end(), &started);
  ++waiting_;
  if (!ready) {
    abort(started, {wire::FailureKind::invalid_request, ready.error().message});
  } else if (waiting_ > options_.waiting_max) {
    abort(started, {wire::FailureKind::connect, "too many requests wait for a connection"});
  } else {
    arm_limit(started);
    launch_waiting();
  }
}

void CurlTransport::Impl::launch_waiting() {
  if (waiting_ == 0) {
    return;
  }
  if (inside_curl_) {
    deliver_soon();
    return;
  }
  for (auto& [name, origin] : origins_) {
    while (!origin.waiting.empty() && has_slot(origin, 0)) {
      if (holds(origin)) {
        hold(origin);
        break;
      }
      Exchange& next = *origin.waiting.front();
      origin.waiting.pop_front();
      --waiting_;
      launch(next);
    }
  }
}

bool CurlTransport::Impl::has_slot(const Origin& origin, std::size_t ahead) const {
  return busy_ + ahead < options_.connections_max &&
         origin.busy + ahead < options_.connections_per_host_max;
}

/// Where streams share connections, one exchange at a time opens the next: libcurl would open one
/// for each.
bool CurlTransport::Impl::holds(const Origin& origin) const {
  switch (origin.sharing) {
    case Sharing::none:
      return false;
    case Sharing::unknown:
      return origin.connecting > 0;
    case Sharing::streams:
      return origin.busy >= options_.streams_per_connection_max * origin.usable &&
             origin.connecting + origin.silent > 0;
  }
  return false;
}

/// What is held waits for a connection as much as the one that opens it.
void CurlTransport::Impl::hold(Origin& origin) {
  std::size_t ahead = 0;
  for (Exchange* exchange : origin.waiting) {
    if (!has_slot(origin, ahead++)) {
      return;
    }
    if (exchange->phase() == Exchange::Phase::waiting) {
      exchange->begin();
      arm_limit(*exchange);
    }
  }
}

void CurlTransport::Impl::launch(Exchange& exchange) {
  if (exchange.phase() == Exchange::Phase::waiting) {
    exchange.begin();
    arm_limit(exchange);
  }
  ++exchange.place->busy;
  ++exchange.place->connecting;
  exchange.connecting = true;
  ++busy_;
  exchange.launched = true;
  CHECK(curl_multi_add_handle(multi_.get(), exchange.easy()) == CURLM_OK);
}

void CurlTransport::Impl::phase_changed(void* self, Exchange& exchange) {
  auto& impl = *static_cast<Impl*>(self);
  if (exchange.phase() == Exchange::Phase::sent) {
    impl.connected(exchange);
  }
  impl.arm_limit(exchange);
}

/// A timer that is set earlier than needed is left alone, so that an exchange that goes well sets
/// one timer in all.
void CurlTransport::Impl::arm_limit(Exchange& exchange) {
  const std::optional<base::Instant> due = exchange.next_limit();
  if (!due || (exchange.limit_timer && exchange.limit_timer_at <= *due)) {
    return;
  }
  if (exchange.limit_timer) {
    loop_.cancel(*exchange.limit_timer);
  }
  exchange.limit_timer_at = *due;
  exchange.limit_timer = loop_.at(*due, [this, id = exchange.id()] { limit_reached(id); });
}

void CurlTransport::Impl::limit_reached(wire::ExchangeId id) {
  Exchange& exchange = *exchanges_.at(id);
  exchange.limit_timer.reset();
  if (std::optional<wire::Failure> failure = exchange.passed_limit(loop_.now())) {
    abort(exchange, std::move(*failure));
  } else {
    // The exchange moved on since this limit was set.
    arm_limit(exchange);
  }
}

void CurlTransport::Impl::cancel(wire::ExchangeId id) {
  const auto found = exchanges_.find(id);
  if (found == exchanges_.end()) {
    return;
  }
  if (inside_curl_) {
    found->second->silence();
    loop_.post(guarded([this, id] { cancel(id); }));
  } else {
    abort(*found->second, {wire::FailureKind::cancelled, "cancelled"});
  }
}

void CurlTransport::Impl::abort(Exchange& exchange, wire::Failure failure) {
  settle(exchange, exchange.finish(std::move(failure)));
  deliver_soon();
}

/// Takes an ended exchange out of everything and puts its completion into the outbox.
void CurlTransport::Impl::settle(Exchange& exchange, wire::Completion completion) {
  if (exchange.limit_timer) {
    loop_.cancel(*exchange.limit_timer);
    exchange.limit_timer.reset();
  }
  Origin& origin = *exchange.place;
  if (!exchange.launched) {
    origin.waiting.erase(exchange.queue_position);
    --waiting_;
  } else {
    curl_multi_remove_handle(multi_.get(), exchange.easy());
    forget_closed(std::exchange(exchange.sockets_new, {}));
    origin.connecting -= std::exchange(exchange.connecting, false) ? 1 : 0;
    --origin.busy;
    --busy_;
  }
  if (origins_.size() > kOriginsRememberedMax && origin.busy == 0 && origin.sockets == 0 &&
      origin.waiting.empty()) {
    origins_.erase(exchange.origin());
  }
  outbox_.push_back({std::move(completion), &exchange.sink()});
  const auto owned = exchanges_.find(exchange.id());
  if (spare_.size() < kSpareExchangesMax) {
    spare_.push_back(std::move(owned->second));
  }
  exchanges_.erase(owned);
}

void CurlTransport::Impl::drain() {
  int left = 0;
  while (CURLMsg* message = curl_multi_info_read(multi_.get(), &left)) {
    if (message->msg != CURLMSG_DONE) {
      continue;
    }
    const CURLcode code = message->data.result;
    Exchange* exchange = nullptr;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &exchange);
    settle(*exchange, exchange->finish(code));
  }
  launch_waiting();
  deliver();
  replace_dead_pool();
}

void CurlTransport::Impl::deliver() {
  // A sink may start and cancel exchanges; what that completes is delivered by another turn of the
  // loop.
  for (Delivery& delivery : std::exchange(outbox_, {})) {
    ++counters_.exchanges_completed;
    delivery.sink->completed(std::move(delivery.completion));
  }
  if (!exchanges_.empty() || !outbox_.empty()) {
    return;
  }
  work_.release();
  if (curl_timer_at_) {
    loop_.cancel(curl_timer_);
    curl_timer_at_.reset();
  }
}

void CurlTransport::Impl::deliver_soon() {
  if (!std::exchange(delivery_posted_, true)) {
    loop_.post(guarded([this] {
      delivery_posted_ = false;
      drain();
    }));
  }
}

CurlTransport::Stats CurlTransport::Impl::stats() const {
  Stats stats = counters_;
  stats.in_flight = exchanges_.size() + outbox_.size();
  stats.waiting = waiting_;
  return stats;
}

CurlTransport::CurlTransport(aio::Loop& loop, Options options)
    : impl_(std::make_unique<Impl>(loop, std::move(options))) {}

CurlTransport::~CurlTransport() = default;

void CurlTransport::start(wire::ExchangeId id, wire::Request request, wire::CompletionSink& sink) {
  impl_->start(id, std::move(request), sink);
}

void CurlTransport::cancel(wire::ExchangeId id) {
  impl_->cancel(id);
}

CurlTransport::Stats CurlTransport::stats() const {
  return impl_->stats();
}

}  // namespace sortie::http
