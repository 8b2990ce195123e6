#include "sortie/base/check.h"
#include "sortie/http/curl_transport.h"
#include "sortie/http/test_peers.h"
#include "sortie/wire/message.h"
#include "sortie/wire/transport.h"

#include <array>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
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

using Key = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Deleter<X509_free>>;
using Context = std::unique_ptr<SSL_CTX, Deleter<SSL_CTX_free>>;
using Session = std::unique_ptr<SSL, Deleter<SSL_free>>;

void add_extension(X509* certificate, int kind, const std::string& value) {
  X509V3_CTX context{};
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str());
  CHECK(extension != nullptr);
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

/// Signed by itself and valid for one hour, for a subject alternative name.
Certificate certificate_for(const std::string& name, EVP_PKEY* key) {
  Certificate certificate(X509_new());
  X509_set_version(certificate.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -60);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
  X509_set_pubkey(certificate.get(), key);
  X509_NAME* subject = X509_get_subject_name(certificate.get());
  const auto* text = reinterpret_cast<const unsigned char*>("sortie test");
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, text, -1, -1, 0);
  X509_set_issuer_name(certificate.get(), subject);
  add_extension(certificate.get(), NID_basic_constraints, "critical,CA:TRUE");
  add_extension(certificate.get(), NID_subject_alt_name, name);
  CHECK(X509_sign(certificate.get(), key, EVP_sha256()) > 0);
  return certificate;
}

/// A TLS server that answers every request with "ok" and keeps connections open.
class TlsPeer {
 public:
  explicit TlsPeer(const std::string& name)
      : key_(EVP_EC_gen("P-256")),
        certificate_(certificate_for(name, key_.get())),
        context_(SSL_CTX_new(TLS_server_method())),
        ca_file_(std::filesystem::temp_directory_path() /
                 ("sortie_ca_" + std::to_string(::getpid()) + ".pem")) {
    // OpenSSL writes to a peer that hung up; sortie itself ignores the signal in main().
    std::signal(SIGPIPE, SIG_IGN);
    CHECK(SSL_CTX_use_certificate(context_.get(), certificate_.get()) == 1);
    CHECK(SSL_CTX_use_PrivateKey(context_.get(), key_.get()) == 1);
    std::FILE* file = std::fopen(ca_file_.c_str(), "w");
    CHECK(file != nullptr);
    PEM_write_X509(file, certificate_.get());
    CHECK(std::fclose(file) == 0);
  }

  TlsPeer(const TlsPeer&) = delete;
  TlsPeer& operator=(const TlsPeer&) = delete;

  ~TlsPeer() { std::filesystem::remove(ca_file_); }

  [[nodiscard]] std::string ca_file() const { return ca_file_; }

  [[nodiscard]] std::string url() const { return "https" + server_.url().substr(4); }

 private:
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
    }
  }

  Key key_;
  Certificate certificate_;
  Context context_;
  std::filesystem::path ca_file_;
  RawServer server_{[this](int connection) { serve(connection); }};
};

wire::Completion ask(Pair& pair, const TlsPeer& peer) {
  wire::Request request = pair.request();
  request.url = peer.url();
  return pair.ask(std::move(request));
}

TEST(CurlTls, a_certificate_that_nobody_vouches_for_is_refused) {
  const TlsPeer peer("IP:127.0.0.1");
  Pair pair;
  const auto completion = ask(pair, peer);
  ASSERT_FALSE(completion.outcome.has_value());
  EXPECT_EQ(completion.outcome.error().kind, wire::FailureKind::tls);
}

TEST(CurlTls, a_certificate_of_the_given_authority_is_accepted_and_its_connection_kept) {
  const TlsPeer peer("IP:127.0.0.1");
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

TEST(CurlTls, a_certificate_for_another_name_is_refused) {
  const TlsPeer peer("DNS:example.com");
  CurlTransport::Options options;
  options.ca_file = peer.ca_file();
  Pair pair(options);
  const auto completion = ask(pair, peer);
  ASSERT_FALSE(completion.outcome.has_value());
  EXPECT_EQ(completion.outcome.error().kind, wire::FailureKind::tls);
}

TEST(CurlTls, an_authority_file_that_does_not_exist_is_a_tls_failure) {
  const TlsPeer peer("IP:127.0.0.1");
  CurlTransport::Options options;
  options.ca_file = "/nonexistent.pem";
  Pair pair(options);
  const auto completion = ask(pair, peer);
  ASSERT_FALSE(completion.outcome.has_value());
  EXPECT_EQ(completion.outcome.error().kind, wire::FailureKind::tls);
}

}  // namespace
}  // namespace sortie::http
