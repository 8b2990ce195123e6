#include "sortie/http/certificate.h"

#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

namespace sortie::http {
namespace {

X509* parse(const std::string& pem) {
  BIO* memory = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
  X509* certificate = PEM_read_bio_X509(memory, nullptr, nullptr, nullptr);
  BIO_free(memory);
  return certificate;
}

/// Whether a verifier that trusts `authority` alone accepts `identity` under `name`.
bool accepts(const std::string& authority, const TlsIdentity& identity, const std::string& name) {
  X509* trusted = parse(authority);
  X509* shown = parse(identity.certificate);
  X509_STORE* store = X509_STORE_new();
  X509_STORE_add_cert(store, trusted);
  X509_STORE_CTX* context = X509_STORE_CTX_new();
  X509_STORE_CTX_init(context, store, shown, nullptr);
  X509_VERIFY_PARAM* rules = X509_STORE_CTX_get0_param(context);
  X509_VERIFY_PARAM_set_flags(rules, X509_V_FLAG_X509_STRICT);
  X509_VERIFY_PARAM_set_purpose(rules, X509_PURPOSE_SSL_SERVER);
  if (X509_VERIFY_PARAM_set1_ip_asc(rules, name.c_str()) != 1) {
    X509_VERIFY_PARAM_set1_host(rules, name.c_str(), 0);
  }
  const bool accepted = X509_verify_cert(context) == 1;
  X509_STORE_CTX_free(context);
  X509_STORE_free(store);
  X509_free(shown);
  X509_free(trusted);
  return accepted;
}

TEST(Authority, vouches_for_the_names_it_was_asked_for_and_no_other) {
  const Authority authority("test authority");
  const TlsIdentity identity = authority.issue({"localhost", "127.0.0.1"});
  EXPECT_TRUE(accepts(authority.pem(), identity, "localhost"));
  EXPECT_TRUE(accepts(authority.pem(), identity, "127.0.0.1"));
  EXPECT_FALSE(accepts(authority.pem(), identity, "example.com"));
  EXPECT_FALSE(accepts(authority.pem(), identity, "127.0.0.2"));
}

TEST(Authority, two_of_one_name_do_not_vouch_for_each_other) {
  const Authority one("test authority");
  const Authority other("test authority");
  EXPECT_FALSE(accepts(one.pem(), other.issue({"localhost"}), "localhost"));
}

}  // namespace
}  // namespace sortie::http
