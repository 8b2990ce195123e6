#include "sortie/http/curl_exchange.h"

#include "sortie/aio/loop.h"
#include "sortie/base/check.h"
#include "sortie/base/error.h"
#include "sortie/base/text.h"
#include "sortie/base/time.h"
#include "sortie/wire/message.h"
#include "sortie/wire/transport.h"
#include "sortie/wire/url.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <curl/curl.h>
#include <fmt/format.h>
#include <openssl/x509_vfy.h>

namespace sortie::http {
namespace {

// What an announced length may reserve before its bytes arrive.
constexpr std::size_t kReserveMax = 1024UL * 1024;
constexpr long kKeepAliveSeconds = 30;

/// Where libcurl looks for authorities unless it is told; a handle that was told once has to be
/// told again.
struct SystemAuthorities {
  const char* file = nullptr;
  const char* path = nullptr;
};

const SystemAuthorities& system_authorities() {
  static const SystemAuthorities found = [] {
    const curl_version_info_data* info = curl_version_info(CURLVERSION_NOW);
    return SystemAuthorities{.file = info->cainfo, .path = info->capath};
  }();
  return found;
}

template <class Value>
void set(CURL* easy, CURLoption option, Value value) {
  CHECK(curl_easy_setopt(easy, option, value) == CURLE_OK);
}

bool is_field_name(std::string_view name) {
  constexpr std::string_view kSymbols = "!#$%&'*+-.^_`|~";
  return !name.empty() && std::ranges::all_of(name, [kSymbols](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || kSymbols.contains(c);
  });
}

bool is_field_value(std::string_view value) {
  using std::string_view_literals::operator""sv;
  return value.find_first_of("\r\n\0"sv) == std::string_view::npos;
}

// What libcurl's interface shows nowhere but in its trace, word for word.
/// The peer did not work on a stream (RFC 9113 §8.7).
constexpr std::string_view kRefusedTrace = "REFUSED_STREAM";
/// Of a certificate for others; in its error text, since no code tells it apart.
constexpr std::string_view kOtherNameError = "matches target host name";
/// What TLS negotiated, before the request is written.
constexpr std::string_view kHttp2Trace = "server accepted h2";
constexpr std::string_view kStreamTrace = "Using Stream ID: ";
/// Of a GOAWAY frame: streams above were not worked on (RFC 9113 §6.8).
constexpr std::string_view kLastStreamTrace = "last_stream=";
/// An answer was complete while its request was still being written, which libcurl before 8.0 takes
/// for an error.
constexpr std::string_view kStreamClosedBegin = "stream ";
constexpr std::string_view kStreamClosedEnd = " closed";

std::optional<std::uint32_t> number_after(std::string_view text, std::string_view word) {
  const std::size_t at = text.find(word);
  std::uint32_t number = 0;
  if (at == std::string_view::npos) {
    return std::nullopt;
  }
  const char* begin = text.data() + at + word.size();
  return std::from_chars(begin, text.data() + text.size(), number).ec == std::errc()
             ? std::optional(number)
             : std::nullopt;
}

/// Before libcurl 8.0 a connection made by prior knowledge breaks when it is used again.
bool shares_by_prior_knowledge() {
  constexpr unsigned kVersion8 = 0x080000;
  return curl_version_info(CURLVERSION_NOW)->version_num >= kVersion8;
}

bool may_be_http2(const wire::Url& url, const wire::Access& access) {
  using HttpVersion = wire::Access::HttpVersion;
  return access.http == HttpVersion::http2 ||
         (access.http == HttpVersion::automatic && url.scheme == "https");
}

Sharing sharing_of(const wire::Url& url, bool http2) {
  if (!http2) {
    return Sharing::none;
  }
  if (url.scheme == "https") {
    return Sharing::unknown;
  }
  return shares_by_prior_knowledge() ? Sharing::streams : Sharing::none;
}

}  // namespace

Exchange::Exchange(aio::Loop& loop, const EasyDefaults& defaults)
    : loop_(loop),
      header_bytes_max_(defaults.header_bytes_max),
      owner_(defaults.owner),
      phase_changed_(defaults.phase_changed),
      open_socket_(defaults.open_socket),
      easy_(curl_easy_init()),
      ca_file_(defaults.ca_file) {
  CHECK(easy_ != nullptr);
  set_defaults(defaults);
}

void Exchange::set_defaults(const EasyDefaults& defaults) {
  CURL* easy = easy_.get();
  set(easy, CURLOPT_PRIVATE, this);
  set(easy, CURLOPT_ERRORBUFFER, error_text_.data());
  set(easy, CURLOPT_NOSIGNAL, 1L);
  set(easy, CURLOPT_SHARE, defaults.share);
  set(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  set(easy, CURLOPT_FOLLOWLOCATION, 0L);
  set(easy, CURLOPT_SSL_VERIFYPEER, 1L);
  set(easy, CURLOPT_SSL_VERIFYHOST, 2L);
  set(easy, CURLOPT_ACCEPT_ENCODING, "");
  set(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  set(easy, CURLOPT_TCP_NODELAY, 1L);
  set(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  set(easy, CURLOPT_TCP_KEEPIDLE, kKeepAliveSeconds);
  set(easy, CURLOPT_TCP_KEEPINTVL, kKeepAliveSeconds);
  const auto idle = std::chrono::ceil<std::chrono::seconds>(defaults.idle_max);
  set(easy, CURLOPT_MAXAGE_CONN, static_cast<long>(idle.count()));
  set(easy, CURLOPT_USERAGENT, defaults.user_agent.c_str());
  if (!defaults.unix_path.empty()) {
    set(easy, CURLOPT_UNIX_SOCKET_PATH, defaults.unix_path.c_str());
  }
  set(easy, CURLOPT_OPENSOCKETFUNCTION, &Exchange::on_open_socket);
  set(easy, CURLOPT_OPENSOCKETDATA, this);
  set(easy, CURLOPT_CLOSESOCKETFUNCTION, defaults.close_socket);
  set(easy, CURLOPT_CLOSESOCKETDATA, defaults.owner);
  set(easy, CURLOPT_WRITEFUNCTION, &Exchange::on_body);
  set(easy, CURLOPT_WRITEDATA, this);
  set(easy, CURLOPT_HEADERFUNCTION, &Exchange::on_header);
  set(easy, CURLOPT_HEADERDATA, this);
  set(easy, CURLOPT_PREREQFUNCTION, &Exchange::on_ready_to_send);
  set(easy, CURLOPT_PREREQDATA, this);
  set(easy, CURLOPT_DEBUGFUNCTION, &Exchange::on_trace);
  set(easy, CURLOPT_DEBUGDATA, this);
}

base::Status Exchange::prepare(wire::ExchangeId id,
                               wire::Request request,
                               wire::CompletionSink& sink) {
  id_ = id;
  sink_ = &sink;
  request_ = std::move(request);
  patience_ = wire::Patience(request_.timeouts, loop_.now());
  sent_before_ = false;
  resend_refused_ = false;
  peer_refused_ = false;
  closed_early_ = false;
  stream_.reset();
  stream_last_.reset();
  negotiated_.reset();
  sockets_new.clear();
  stopped_ = false;
  body_bytes_ = 0;
  too_large_ = false;
  head_complete_ = false;
  header_bytes_ = 0;
  response_ = {};
  error_text_.front() = '\0';
  sent_at_ = loop_.now();
  first_byte_at_ = sent_at_;
  TRY(set_url());
  TRY(set_headers());
  set_method();
  set(easy(), CURLOPT_MAXFILESIZE_LARGE, static_cast<curl_off_t>(request_.answer_bytes_max));
  return {};
}

base::Status Exchange::set_url() {
  if (request_.url == url_set_ && request_.access == access_set_) {
    return {};
  }
  TRY_ASSIGN(const wire::Url url, wire::parse_url(request_.url));
  origin_ = url.scheme + "://" + url.authority();
  set(easy(), CURLOPT_URL, url.to_string().c_str());
  set_access(url);
  url_set_ = request_.url;
  access_set_ = request_.access;
  return {};
}

void Exchange::set_access(const wire::Url& url) {
  const wire::Access access = request_.access != nullptr ? *request_.access : wire::Access();
  const bool http2 = may_be_http2(url, access);
  const auto version = !http2                  ? CURL_HTTP_VERSION_1_1
                       : url.scheme == "https" ? CURL_HTTP_VERSION_2TLS
                                               : CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE;
  set(easy(), CURLOPT_HTTP_VERSION, static_cast<long>(version));
  sharing_ = sharing_of(url, http2);
  const bool alone = http2 && sharing_ == Sharing::none;
  set(easy(), CURLOPT_FRESH_CONNECT, alone ? 1L : 0L);
  set(easy(), CURLOPT_FORBID_REUSE, alone ? 1L : 0L);
  set(easy(), CURLOPT_VERBOSE, http2 ? 1L : 0L);
  const std::string& authorities = !access.ca_file.empty() ? access.ca_file : ca_file_;
  if (!authorities.empty()) {
    set(easy(), CURLOPT_CAINFO, authorities.c_str());
    set(easy(), CURLOPT_CAPATH, nullptr);
  } else {
    set(easy(), CURLOPT_CAINFO, system_authorities().file);
    set(easy(), CURLOPT_CAPATH, system_authorities().path);
  }
  // An empty name means no proxy whatever the environment says; a null pointer means what it says.
  const bool direct =
      access.proxy == "none" || (access.proxy.empty() && wire::is_loopback(url.host));
  const char* proxy = direct ? "" : access.proxy.empty() ? nullptr : access.proxy.c_str();
  set(easy(), CURLOPT_PROXY, proxy);
  // What the environment excepts from its proxies is not excepted from one that is given.
  set(easy(), CURLOPT_NOPROXY, access.proxy.empty() ? nullptr : "");
}

base::Status Exchange::set_headers() {
  header_text_.clear();
  header_nodes_.clear();
  std::vector<std::size_t> begins;
  const auto add_line = [&](auto&&... parts) {
    begins.push_back(header_text_.size());
    (header_text_.append(parts), ...);
    header_text_.push_back('\0');
  };
  for (const wire::Header& field : request_.headers.fields()) {
    if (!is_field_name(field.name) || !is_field_value(field.value)) {
      // The value may be a secret and is not quoted.
      return base::bad_input(
          fmt::format("header field '{}' cannot be sent: its name or value holds forbidden bytes",
                      base::shortened(base::valid_utf8(field.name), 64)));
    }
    if (base::trim(field.value).empty()) {
      add_line(field.name, ";");  // how libcurl is told to send a field without a value
    } else {
      add_line(field.name, ": ", field.value);
    }
  }
  // libcurl would wait for "100 Continue" with large bodies, and call every body a form.
  add_line("Expect:");
  if (!request_.headers.find("Content-Type")) {
    add_line("Content-Type:");
  }
  header_nodes_.resize(begins.size());
  for (std::size_t i = 0; i < begins.size(); ++i) {
    header_nodes_[i].data = header_text_.data() + begins[i];
    header_nodes_[i].next = i + 1 < begins.size() ? &header_nodes_[i + 1] : nullptr;
  }
  set(easy(), CURLOPT_HTTPHEADER, header_nodes_.data());
  return {};
}

void Exchange::set_method() {
  const bool has_body = request_.method == wire::Method::post ||
                        request_.method == wire::Method::put || !request_.body.empty();
  if (has_body) {
    set(easy(), CURLOPT_POST, 1L);
    set(easy(), CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request_.body.size()));
    set(easy(), CURLOPT_POSTFIELDS, request_.body.c_str());
  } else {
    set(easy(), CURLOPT_HTTPGET, 1L);
  }
  const bool implied = request_.method == (has_body ? wire::Method::post : wire::Method::get);
  const std::string name(wire::to_string(request_.method));
  set(easy(), CURLOPT_CUSTOMREQUEST, implied ? static_cast<const char*>(nullptr) : name.c_str());
}

std::optional<std::size_t> Exchange::connections_max() const {
  return access_set_ != nullptr && access_set_->connections_max > 0
             ? std::optional(access_set_->connections_max)
             : std::nullopt;
}

void Exchange::begin() {
  patience_.connecting(loop_.now());
}

int Exchange::on_ready_to_send(
    void* self, char* /*peer*/, char* /*local*/, int /*peer_port*/, int /*local_port*/) {
  return static_cast<Exchange*>(self)->ready_to_send();
}

int Exchange::ready_to_send() {
  if (sent_before_) {
    // libcurl repeats a request when a reused connection breaks before an answer, or when the peer
    // refused it. Unless nothing of the first one was written, the peer may have worked on it, and
    // whether and when to ask again is not libcurl's decision.
    long written = 0;
    curl_easy_getinfo(easy(), CURLINFO_REQUEST_SIZE, &written);
    if (written > 0) {
      resend_refused_ = true;
      // Of a stream that was refused on a connection used before libcurl says nothing; of a
      // connection that is lost it does.
      peer_refused_ =
          peer_refused_ || (place->sharing == Sharing::streams && error_text_.front() == '\0');
      return CURL_PREREQFUNC_ABORT;
    }
  }
  sent_before_ = true;
  sent_at_ = loop_.now();
  first_byte_at_ = sent_at_;
  patience_.sent(sent_at_);
  phase_changed_(owner_, *this);
  return CURL_PREREQFUNC_OK;
}

int Exchange::on_trace(
    CURL* /*easy*/, curl_infotype type, char* data, std::size_t size, void* self) {
  if (type != CURLINFO_TEXT) {
    return 0;
  }
  static_cast<Exchange*>(self)->take_trace({data, size});
  return 0;
}

void Exchange::take_trace(std::string_view text) {
  if (text.contains(kRefusedTrace)) {
    peer_refused_ = true;
  } else if (text.contains(kHttp2Trace)) {
    negotiated_ = Sharing::streams;
  } else if (const auto stream = number_after(text, kStreamTrace)) {
    stream_ = stream;
  } else if (const auto last = number_after(text, kLastStreamTrace)) {
    stream_last_ = last;
  } else if (text.starts_with(kStreamClosedBegin) && base::trim(text).ends_with(kStreamClosedEnd)) {
    closed_early_ = true;
  }
}

bool Exchange::refused_unread() const {
  return peer_refused_ ||
         (phase() == Phase::sent && stream_ && stream_last_ && *stream_ > *stream_last_);
}

curl_socket_t Exchange::on_open_socket(void* self,
                                       curlsocktype /*purpose*/,
                                       curl_sockaddr* address) {
  auto& exchange = *static_cast<Exchange*>(self);
  exchange.negotiated_ = Sharing::none;  // unless TLS says otherwise
  return exchange.open_socket_(exchange.owner_, exchange, *address);
}

std::size_t Exchange::on_body(char* data, std::size_t size, std::size_t count, void* self) {
  return static_cast<Exchange*>(self)->take_body({data, size * count});
}

std::size_t Exchange::on_header(char* data, std::size_t size, std::size_t count, void* self) {
  return static_cast<Exchange*>(self)->take_header({data, size * count});
}

std::size_t Exchange::take_body(std::string_view piece) {
  patience_.byte(loop_.now());
  if (stopped_) {
    return CURL_WRITEFUNC_ERROR;
  }
  if (piece.size() > request_.answer_bytes_max - body_bytes_) {
    too_large_ = true;
    return CURL_WRITEFUNC_ERROR;
  }
  body_bytes_ += piece.size();
  if (request_.streamed && response_.status >= 200 && response_.status < 300) {
    return hand_on(piece) ? piece.size() : CURL_WRITEFUNC_ERROR;
  }
  response_.body.append(piece);
  return piece.size();
}

/// False if nothing more is wanted.
bool Exchange::hand_on(std::string_view piece) {
  switch (sink_->received(id_, response_, piece)) {
    case wire::Piece::life:
      return true;
    case wire::Piece::progress:
      patience_.progressed(loop_.now());
      return true;
    case wire::Piece::stop:
      stopped_ = true;
      return false;
  }
  return true;
}

std::size_t Exchange::take_header(std::string_view line) {
  const bool first = phase() != Phase::receiving;
  patience_.byte(loop_.now());
  if (first) {
    first_byte_at_ = loop_.now();
    phase_changed_(owner_, *this);
  }
  header_bytes_ += line.size();
  if (header_bytes_ > header_bytes_max_) {
    too_large_ = true;
    return CURL_WRITEFUNC_ERROR;
  }
  const std::size_t colon = line.find(':');
  if (line.starts_with("HTTP/")) {
    // Each interim answer (1xx) has a head of its own; the last one counts.
    response_.headers = {};
    head_complete_ = false;
    long status = 0;
    curl_easy_getinfo(easy(), CURLINFO_RESPONSE_CODE, &status);
    response_.status = static_cast<int>(status);
  } else if (base::trim(line).empty()) {
    head_complete_ = true;
  } else if (colon != std::string_view::npos && colon > 0) {
    const std::string_view name = base::trim(line.substr(0, colon));
    const std::string_view value = base::trim(line.substr(colon + 1));
    if (base::equals_ignoring_case(name, "content-length")) {
      std::size_t length = 0;
      std::from_chars(value.data(), value.data() + value.size(), length);
      response_.body.reserve(std::min({length, request_.answer_bytes_max, kReserveMax}));
    }
    response_.headers.add(std::string(name), std::string(value));
  }
  return line.size();
}

wire::Completion Exchange::finish(CURLcode code) {
  const bool whole = code == CURLE_OK || (code == CURLE_HTTP2_STREAM && closed_early_);
  if (!whole) {
    return completion(std::unexpected(failure_of(code)));
  }
  constexpr int kProxyWantsPassword = 407;
  if (response_.status == kProxyWantsPassword) {
    return finish(wire::Failure{
        wire::FailureKind::connect,
        "the proxy wants a user and a password (HTTP 407): set them in HTTPS_PROXY or HTTP_PROXY"});
  }
  if (!head_complete_) {
    return finish(
        wire::Failure{wire::FailureKind::broken, "the connection was lost in the answer's head"});
  }
  return completion(std::move(response_));
}

wire::Completion Exchange::finish(wire::Failure failure) {
  return completion(std::unexpected(std::move(failure)));
}

wire::Completion Exchange::completion(std::expected<wire::Response, wire::Failure> outcome) {
  return {id_, std::move(outcome), sent_at_, first_byte_at_, loop_.now()};
}

void Exchange::release() {
  request_ = {};
  response_ = {};
}

wire::Failure Exchange::failure_of(CURLcode code) const {
  if (stopped_) {
    return {wire::FailureKind::cancelled, "stopped by its reader"};
  }
  if (refused_unread()) {
    return {wire::FailureKind::refused, "the peer refused it unread (HTTP/2)"};
  }
  if (resend_refused_) {
    return {wire::FailureKind::reset, "the connection was lost before a byte of the answer"};
  }
  if (too_large_ || code == CURLE_FILESIZE_EXCEEDED) {
    return {wire::FailureKind::too_large,
            header_bytes_ > header_bytes_max_
                ? fmt::format("the answer's head exceeds {} bytes", header_bytes_max_)
                : fmt::format("the answer exceeds {} bytes", request_.answer_bytes_max)};
  }
  const char* detail = error_text_.front() != '\0' ? error_text_.data() : curl_easy_strerror(code);
  wire::Failure failure{kind_of(code), base::valid_utf8(detail)};
  if (failure.kind == wire::FailureKind::certificate) {
    failure.message =
        fmt::format("{}: {}; {}", origin_, failure.message, advice_on_certificate(code));
  }
  if (phase() == Phase::connecting && access_set_ != nullptr && !access_set_->proxy.empty() &&
      access_set_->proxy != "none") {
    failure.message = fmt::format("through the proxy {}: {}", access_set_->proxy, failure.message);
  }
  return failure;
}

/// What whoever runs it can do, since verification is not to be turned off.
std::string_view Exchange::advice_on_certificate(CURLcode code) const {
  long result = 0;
  curl_easy_getinfo(easy(), CURLINFO_SSL_VERIFYRESULT, &result);
  if (code == CURLE_SSL_CACERT_BADFILE) {
    return "ca_file has to name a file of certificates in PEM";
  }
  if (std::string_view(error_text_.data()).contains(kOtherNameError)) {
    return "base_url has to name the server as its certificate does";
  }
  switch (result) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return "the server needs a certificate that is valid now";
    default:
      return "if its authority is one of your own, name its certificate with ca_file";
  }
}

wire::FailureKind Exchange::kind_of(CURLcode code) const {
  using wire::FailureKind;
  switch (code) {
    case CURLE_URL_MALFORMAT:
    case CURLE_BAD_FUNCTION_ARGUMENT:
      return FailureKind::invalid_request;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
      return phase() == Phase::connecting ? FailureKind::certificate : FailureKind::broken;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ENGINE_INITFAILED:
      return phase() == Phase::connecting ? FailureKind::tls : FailureKind::broken;
    case CURLE_OPERATION_TIMEDOUT:
      // Ours come first; this is libcurl's own limit on connecting, where a request has none.
      return phase() == Phase::connecting ? FailureKind::connect_timeout : FailureKind::broken;
    default:
      break;
  }
  switch (phase()) {
    case Phase::waiting:
    case Phase::connecting:
      return FailureKind::connect;
    case Phase::sent:
      // What cannot be understood is an answer, though none of ours; a connection that ended is
      // none.
      return code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_WEIRD_SERVER_REPLY
                 ? FailureKind::broken
                 : FailureKind::reset;
    case Phase::receiving:
      return FailureKind::broken;
  }
  return FailureKind::broken;
}

}  // namespace sortie::http
