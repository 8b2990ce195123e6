#include "sortie/http/curl_transport.h"

#include "sortie/aio/loop.h"
#include "sortie/base/check.h"
#include "sortie/base/error.h"
#include "sortie/base/time.h"
#include "sortie/http/curl_exchange.h"
#include "sortie/http/curl_sockets.h"
#include "sortie/http/poll_set.h"
#include "sortie/http/socket_path.h"
#include "sortie/wire/message.h"
#include "sortie/wire/transport.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
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
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

namespace sortie::http {
namespace {

// An easy handle without a transfer holds a few KiB; more of them than this are given back.
constexpr std::size_t kSpareExchangesMax = 512;
constexpr std::size_t kOriginsRememberedMax = 256;
// How long a new connection of HTTP/2 may keep its peer's settings back.
constexpr base::Duration kSettingsPatience = std::chrono::seconds(1);
// How often streams that share a connection look for themselves while nothing comes.
constexpr base::Duration kLookEvery = std::chrono::milliseconds(250);
constexpr base::Duration kLookEveryMax = std::chrono::seconds(2);
constexpr std::uint32_t kIdleEvents = EPOLLIN | EPOLLRDHUP;

void initialise_curl() {
  // The library's own state; initialising it is thread-safe only through a static like this.
  static const CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);
  CHECK(code == CURLE_OK);
}

/// Half of the files that this process may open: beyond, a connection would seem to be refused by
/// its peer. The other half is for what else is open.
std::size_t files_for_connections() {
  rlimit files{};
  return ::getrlimit(RLIMIT_NOFILE, &files) == 0 ? std::max<std::size_t>(1, files.rlim_cur / 2)
                                                 : std::numeric_limits<std::size_t>::max();
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
  void heard_of(CurlSocket& socket);
  void watch_socket(int descriptor, int what);
  void socket_ready(int descriptor, std::uint32_t events);
  void idle_socket_ready(int descriptor, std::uint32_t events);
  void retire(int descriptor);
  void retire_aged();
  void forget(int descriptor);
  void forget_closed(const std::vector<OpenedSocket>& opened);

  void set_curl_timer(long timeout_ms);
  void arm_curl_timer();
  void kick();
  void act(int descriptor, int mask);
  void look_soon();
  void look();

  [[nodiscard]] std::unique_ptr<Exchange> take_exchange();
  void enqueue(std::unique_ptr<Exchange> exchange);
  [[nodiscard]] bool has_slot(const Origin& origin, std::size_t ahead) const;
  [[nodiscard]] bool holds(const Origin& origin) const;
  void hold(Origin& origin);
  void launch(Exchange& exchange);
  void launch_waiting();
  [[nodiscard]] Origin* next_in_line();
  void limit_reached(wire::ExchangeId id);
  void arm_limit(Exchange& exchange);
  void end_silenced(wire::ExchangeId id);
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
  CurlSockets sockets_;
  PollSet poll_;
  std::unordered_map<wire::ExchangeId, std::unique_ptr<Exchange>> exchanges_;
  std::vector<std::unique_ptr<Exchange>> spare_;
  std::unique_ptr<CURLM, MultiDeleter> multi_;
  std::map<std::string, Origin> origins_;
  std::size_t busy_ = 0;  // exchanges that libcurl has
  std::size_t waiting_ = 0;
  std::uint64_t arrivals_ = 0;
  std::uint64_t completed_ = 0;
  bool alarm_set_ = false;
  // libcurl is at work: from inside its callbacks, readers' included, exchanges neither begin nor
  // end.
  bool inside_curl_ = false;

  std::optional<base::Instant> curl_due_;
  std::optional<base::Instant> curl_timer_at_;
  aio::TimerId curl_timer_;
  bool kick_posted_ = false;
  bool look_set_ = false;

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
  options_.connections_max = std::min(options_.connections_max, files_for_connections());
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
  const CurlSockets::Counts& counts = sockets_.counts();
  if (busy_ > 0 || counts.dead == 0 || counts.dead < counts.open) {
    return;
  }
  multi_.reset();
  curl_due_.reset();
  create_multi();
}

// --- Sockets ---

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
  exchange.sockets_new.push_back(impl.sockets_.opened(descriptor, *exchange.place));
  return descriptor;
}

int CurlTransport::Impl::close_socket(void* self, curl_socket_t descriptor) {
  static_cast<Impl*>(self)->forget(descriptor);
  return ::close(descriptor);
}

void CurlTransport::Impl::forget(int descriptor) {
  poll_.watch(descriptor, 0);
  sockets_.forget(descriptor);
}

/// A socket that did not get connected libcurl may close without a word (7.88 does).
void CurlTransport::Impl::forget_closed(const std::vector<OpenedSocket>& opened) {
  for (const OpenedSocket& one : opened) {
    if (sockets_.is_gone(one)) {
      forget(one.descriptor);
    }
  }
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
  if (origin.sharing == Sharing::streams) {
    look_soon();
  }
  forget_closed(exchange.sockets_new);
  for (const auto& [descriptor, opened] : std::exchange(exchange.sockets_new, {})) {
    CurlSocket& entry = sockets_.at(descriptor);
    if (entry.number == opened && !entry.silent && origin.sharing == Sharing::streams) {
      CurlSockets::begin_silence(entry);
      loop_.at(loop_.now() + kSettingsPatience, guarded([this, descriptor, number = entry.number] {
                 if (sockets_.at(descriptor).number == number) {
                   heard_of(sockets_.at(descriptor));
                 }
               }));
    }
  }
  if (!origin.waiting.empty()) {
    deliver_soon();
  }
}

void CurlTransport::Impl::heard_of(CurlSocket& socket) {
  if (!CurlSockets::end_silence(socket)) {
    return;
  }
  CurlSockets::set_usable(socket, true);
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
  CurlSocket& entry = sockets_.at(descriptor);
  if (what == CURL_POLL_REMOVE) {
    if (!entry.ours) {
      poll_.watch(descriptor, 0);
    } else if (entry.busy) {
      // Back in the pool, or about to be closed: libcurl does not look at it, so we do.
      sockets_.rest(entry, loop_.now());
      if (entry.dead) {
        return;
      }
      poll_.watch(descriptor, kIdleEvents);
      if (!std::exchange(alarm_set_, true)) {
        poll_.set_alarm(options_.idle_max);
      }
    }
    return;
  }
  if (entry.ours && !entry.busy) {
    sockets_.work(entry);
  }
  std::uint32_t events = 0;
  events |= (what & CURL_POLL_IN) != 0 ? kIdleEvents : 0U;
  events |= (what & CURL_POLL_OUT) != 0 ? std::uint32_t{EPOLLOUT} : 0U;
  poll_.watch(descriptor, events);
}

void CurlTransport::Impl::socket_ready(int descriptor, std::uint32_t events) {
  CurlSocket& entry = sockets_.at(descriptor);
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
  if (heard && sockets_.at(descriptor).number == number) {
    heard_of(sockets_.at(descriptor));
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
  CurlSocket& entry = sockets_.at(descriptor);
  poll_.watch(descriptor, 0);
  ::shutdown(descriptor, SHUT_RDWR);
  sockets_.die(entry);
}

void CurlTransport::Impl::retire_aged() {
  alarm_set_ = false;
  const base::Instant now = loop_.now();
  std::optional<base::Instant> next;
  for (int descriptor = 0; descriptor < sockets_.end(); ++descriptor) {
    const CurlSocket& entry = sockets_.at(descriptor);
    if (!entry.ours || entry.busy || entry.dead) {
      continue;
    }
    const base::Instant due = entry.idle_since + options_.idle_max;
    if (due <= now) {
      retire(descriptor);
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

void CurlTransport::Impl::look_soon() {
  if (!std::exchange(look_set_, true)) {
    loop_.at(loop_.now() + kLookEvery, guarded([this] {
               look_set_ = false;
               look();
             }));
  }
}

/// Of streams that share a connection one reads for all, and libcurl 7.88 does not always wake the
/// one whose end another has read: the answer is there, and it waits for more. Pausing a transfer
/// and going on makes libcurl look once at what it has (lib/easy.c, curl_easy_pause).
void CurlTransport::Impl::look() {
  bool is_shared = false;
  std::vector<CURL*> quiet;
  for (const auto& [id, exchange] : exchanges_) {
    if (exchange->launched && exchange->place->sharing == Sharing::streams) {
      is_shared = true;
      if (exchange->wants_look(loop_.now(), kLookEvery, kLookEveryMax)) {
        quiet.push_back(exchange->easy());
      }
    }
  }
  if (is_shared) {
    look_soon();
  }
  inside_curl_ = true;
  for (CURL* easy : quiet) {
    curl_easy_pause(easy, CURLPAUSE_RECV);
    curl_easy_pause(easy, CURLPAUSE_CONT);
  }
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
  // A path that cannot be shortened fails as it is: nothing may go anywhere else instead.
  defaults.unix_path = unix_path_.text().empty() ? options_.unix_path : unix_path_.text();
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
  // Of several endpoints at one address the one that allows most decides.
  origin.connections_max =
      std::max(origin.connections_max,
               std::min(options_.connections_per_host_max,
                        started.connections_max().value_or(options_.connections_per_host_max)));
  started.place = &origin;
  started.launched = false;
  started.arrival = ++arrivals_;
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
  while (Origin* origin = next_in_line()) {
    Exchange& next = *origin->waiting.front();
    origin->waiting.pop_front();
    --waiting_;
    launch(next);
  }
}

/// Where the next exchange may be launched: of several origins, where one has waited for longest.
Origin* CurlTransport::Impl::next_in_line() {
  Origin* first = nullptr;
  for (auto& [name, origin] : origins_) {
    if (origin.waiting.empty() || !has_slot(origin, 0)) {
      continue;
    }
    if (holds(origin)) {
      hold(origin);
    } else if (first == nullptr ||
               origin.waiting.front()->arrival < first->waiting.front()->arrival) {
      first = &origin;
    }
  }
  return first;
}

bool CurlTransport::Impl::has_slot(const Origin& origin, std::size_t ahead) const {
  const std::size_t streams =
      origin.sharing == Sharing::streams ? options_.streams_per_connection_max : 1;
  return busy_ + ahead < options_.connections_max &&
         origin.busy + ahead <
             std::min(options_.connections_per_host_max, origin.connections_max * streams);
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
    loop_.post(guarded([this, id] { end_silenced(id); }));
  } else {
    abort(*found->second, {wire::FailureKind::cancelled, "cancelled"});
  }
}

/// Unless it has ended meanwhile; another one may have its id by now.
void CurlTransport::Impl::end_silenced(wire::ExchangeId id) {
  const auto found = exchanges_.find(id);
  if (found != exchanges_.end() && found->second->is_silenced()) {
    cancel(id);
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
  exchange.release();
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
    ++completed_;
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
  const CurlSockets::Counts& counts = sockets_.counts();
  return {.in_flight = exchanges_.size() + outbox_.size(),
          .waiting = waiting_,
          .open_connections = counts.open,
          .idle_connections = counts.idle,
          .connections_opened = counts.opened,
          .exchanges_completed = completed_};
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
