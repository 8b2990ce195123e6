#include "sortie/base/check.h"
#include "sortie/http/certificate.h"
#include "sortie/http/curl_transport.h"
#include "sortie/http/test_peers.h"
#include "sortie/wire/message.h"
#include "sortie/wire/transport.h"

#include <array>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <openssl/ssl.h>
#include <unistd.h>

namespace sortie::http {
namespace {

template <auto Free>
struct Deleter {
  template <class T>
  void operator()(T* pointer) const {
    Free(pointer);
  }
};

using Context = std::unique_ptr<SSL_CTX, Deleter<SSL_CTX_free>>;
using Session = std::unique_ptr<SSL, Deleter<SSL_free>>;

/// A TLS server that answers every request with "ok" and keeps connections open.
class TlsPeer {
 public:
  explicit TlsPeer(const std::string& name, bool keeps_open = true)
      : keeps_open_(keeps_open),
        context_(SSL_CTX_new(TLS_server_method())),
        ca_file_(temporary("ca")) {
    // OpenSSL writes to a peer that hung up; sortie itself ignores the signal in main().
    std::signal(SIGPIPE, SIG_IGN);
    const Authority authority("sortie test");
    const TlsIdentity identity = authority.issue({name});
    const std::string certificate = temporary("certificate");
    const std::string key = temporary("key");
    std::ofstream(certificate) << identity.certificate;
    std::ofstream(key) << identity.key.reveal();
    std::ofstream(ca_file_) << authority.pem();
    CHECK(SSL_CTX_use_certificate_chain_file(context_.get(), certificate.c_str()) == 1);
    CHECK(SSL_CTX_use_PrivateKey_file(context_.get(), key.c_str(), SSL_FILETYPE_PEM) == 1);
    std::filesystem::remove(certificate);
    std::filesystem::remove(key);
  }

  TlsPeer(const TlsPeer&) = delete;
  TlsPeer& operator=(const TlsPeer&) = delete;

  ~TlsPeer() { std::filesystem::remove(ca_file_); }

  [[nodiscard]] std::string ca_file() const { return ca_file_; }

  [[nodiscard]] std::string url() const { return "https" + server_.url().substr(4); }

 private:
  static std::string temporary(std::string_view what) {
    return std::filesystem::temp_directory_path() /
           fmt::format("sortie_{}_{}.pem", what, ::getpid());
  }

  void serve(int connection) {
    const Session session(SSL_new(context_.get()));
    SSL_set_fd(session.get(), connection);
    if (SSL_accept(session.get()) != 1) {
      return;
    }
    std::array<char, 4096> buffer{};
    while (SSL_read(session.get(), buffer.data(), buffer.size()) > 0) {
      constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
      SSL_write(session.get(), kOk.data(), kOk.size());
      if (!keeps_open_) {
        return;
      }
    }
  }

  bool keeps_open_;
  Context context_;
  std::string ca_file_;
  RawServer server_{[this](int connection) { serve(connection); }};
};

wire::Completion ask(Pair& pair, const TlsPeer& peer) {
  wire::Request request = pair.request();
  request.url = peer.url();
  return pair.ask(std::move(request));
}

TEST(CurlTls, a_certificate_that_nobody_vouches_for_is_refused) {
  const TlsPeer peer("127.0.0.1");
  Pair pair;
  const auto completion = ask(pair, peer);
  ASSERT_FALSE(completion.outcome.has_value());
  EXPECT_EQ(completion.outcome.error().kind, wire::FailureKind::certificate);
  EXPECT_NE(completion.outcome.error().message.find("ca_file"), std::string::npos);
}

TEST(CurlTls, a_certificate_of_the_given_authority_is_accepted_and_its_connection_kept) {
  const TlsPeer peer("127.0.0.1");
  CurlTransport::Options options;
  options.ca_file = peer.ca_file();
  Pair pair(options);
  for (int i = 0; i < 3; ++i) {
    const auto completion = ask(pair, peer);
    ASSERT_TRUE(completion.outcome.has_value()) << completion.outcome.error().message;
    EXPECT_EQ(completion.outcome->body, "ok");
  }
  EXPECT_EQ(pair.client->stats().connections_opened, 1U);
}

TEST(CurlTls, the_authority_of_a_request_counts_before_that_of_the_transport) {
  const TlsPeer peer("127.0.0.1", /*keeps_open=*/false);
  Pair pair;
  const auto outcome_with = [&](std::shared_ptr<const wire::Access> access) {
    wire::Request request = pair.request();
    request.url = peer.url();
    request.access = std::move(access);
    const auto completion = pair.ask(std::move(request));
    return completion.outcome ? completion.outcome->body
                              : std::string(wire::to_string(completion.outcome.error().kind));
  };
  const auto trusting =
      std::make_shared<const wire::Access>(wire::Access{.ca_file = peer.ca_file(), .proxy = {}});
  // In turns: a handle that was told another authority is used again, and so is no connection.
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(outcome_with(trusting), "ok");
    EXPECT_EQ(outcome_with(nullptr), "certificate");
  }
}

TEST(CurlTls, a_certificate_for_another_name_is_refused) {
  const TlsPeer peer("example.com");
  CurlTransport::Options options;
  options.ca_file = peer.ca_file();
  Pair pair(options);
  const auto completion = ask(pair, peer);
  ASSERT_FALSE(completion.outcome.has_value());
  EXPECT_EQ(completion.outcome.error().kind, wire::FailureKind::certificate);
}

TEST(CurlTls, an_authority_file_that_does_not_exist_is_said) {
  const TlsPeer peer("127.0.0.1");
  CurlTransport::Options options;
  options.ca_file = "/nonexistent.pem";
  Pair pair(options);
  const auto completion = ask(pair, peer);
  ASSERT_FALSE(completion.outcome.has_value());
  EXPECT_EQ(completion.outcome.error().kind, wire::FailureKind::certificate);
}

}  // namespace
}  // namespace sortie::http
