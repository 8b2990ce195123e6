#include "sortie/http/certificate.h"

#include "sortie/base/check.h"
#include "sortie/base/error.h"
#include "sortie/base/secret.h"

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>
#include <openssl/pem.h>
#include <openssl/pemerr.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

namespace sortie::http {
namespace {

constexpr long kSkewSeconds = 3600L;
constexpr long kValiditySeconds = 30L * 24 * 3600;
constexpr int kSerialBits = 127;

template <auto Free>
struct Deleter {
  template <class T>
  void operator()(T* pointer) const {
    Free(pointer);
  }
};

using Key = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Deleter<X509_free>>;
using Memory = std::unique_ptr<BIO, Deleter<BIO_free>>;
using Number = std::unique_ptr<BIGNUM, Deleter<BN_free>>;

Key new_key() {
  Key key(EVP_EC_gen("P-256"));
  CHECK(key != nullptr);
  return key;
}

std::string text_of(BIO* memory) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(memory, &data);
  return {data, static_cast<std::size_t>(size)};
}

std::string pem_of(X509* certificate) {
  const Memory memory(BIO_new(BIO_s_mem()));
  CHECK(PEM_write_bio_X509(memory.get(), certificate) == 1);
  return text_of(memory.get());
}

std::string pem_of(EVP_PKEY* key) {
  const Memory memory(BIO_new(BIO_s_mem()));
  CHECK(PEM_write_bio_PrivateKey(memory.get(), key, nullptr, nullptr, 0, nullptr, nullptr) == 1);
  return text_of(memory.get());
}

void add_extension(X509* certificate, X509* issuer, int kind, const std::string& value) {
  X509V3_CTX context{};
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str());
  CHECK(extension != nullptr);
  CHECK(X509_add_ext(certificate, extension, -1) == 1);
  X509_EXTENSION_free(extension);
}

/// All but issuer, extensions and signature.
Certificate blank(const std::string& name, EVP_PKEY* key) {
  Certificate certificate(X509_new());
  CHECK(certificate != nullptr);
  X509_set_version(certificate.get(), X509_VERSION_3);
  const Number serial(BN_new());
  CHECK(BN_rand(serial.get(), kSerialBits, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1);
  CHECK(BN_to_ASN1_INTEGER(serial.get(), X509_get_serialNumber(certificate.get())) != nullptr);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -kSkewSeconds);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), kValiditySeconds);
  X509_set_pubkey(certificate.get(), key);
  const auto* text = reinterpret_cast<const unsigned char*>(name.c_str());
  X509_NAME_add_entry_by_txt(
      X509_get_subject_name(certificate.get()), "CN", MBSTRING_UTF8, text, -1, -1, 0);
  return certificate;
}

Memory reader_of(std::string_view text) {
  Memory memory(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  CHECK(memory != nullptr);
  return memory;
}

Certificate next_certificate(BIO* memory) {
  return Certificate(PEM_read_bio_X509(memory, nullptr, nullptr, nullptr));
}

/// Nobody is asked for a password.
int no_password(char* /*buffer*/, int /*size*/, int /*writing*/, void* /*unused*/) {
  return 0;
}

bool is_address(const std::string& name) {
  in6_addr address{};
  return ::inet_pton(AF_INET, name.c_str(), &address) == 1 ||
         ::inet_pton(AF_INET6, name.c_str(), &address) == 1;
}

}  // namespace

base::Status check_certificates(const std::string& pem) {
  const Memory memory = reader_of(pem);
  std::size_t count = 0;
  while (next_certificate(memory.get()) != nullptr) {
    ++count;
  }
  const unsigned long error = ERR_peek_last_error();
  ERR_clear_error();
  const bool at_end = ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
  if (!at_end) {
    return base::bad_input(fmt::format("certificate {} cannot be read", count + 1));
  }
  if (count == 0) {
    return base::bad_input(
        "expected certificates in PEM (-----BEGIN CERTIFICATE-----), found none");
  }
  return {};
}

base::Status check_identity(const TlsIdentity& identity) {
  TRY(check_certificates(identity.certificate));
  const Memory memory = reader_of(identity.key.reveal());
  const Key key(PEM_read_bio_PrivateKey(memory.get(), nullptr, &no_password, nullptr));
  const Certificate own = next_certificate(reader_of(identity.certificate).get());
  const bool fits = key != nullptr && X509_check_private_key(own.get(), key.get()) == 1;
  ERR_clear_error();
  if (key == nullptr) {
    return base::bad_input("expected a private key in PEM, without a password");
  }
  if (!fits) {
    return base::bad_input("the key is not that of the certificate");
  }
  return {};
}

struct Authority::Parts {
  Key key = new_key();
  Certificate certificate;
};

Authority::Authority(const std::string& name) : parts_(std::make_unique<Parts>()) {
  parts_->certificate = blank(name, parts_->key.get());
  X509* own = parts_->certificate.get();
  X509_set_issuer_name(own, X509_get_subject_name(own));
  add_extension(own, own, NID_basic_constraints, "critical,CA:TRUE");
  add_extension(own, own, NID_key_usage, "critical,keyCertSign,cRLSign");
  add_extension(own, own, NID_subject_key_identifier, "hash");
  CHECK(X509_sign(own, parts_->key.get(), EVP_sha256()) > 0);
}

Authority::~Authority() = default;

std::string Authority::pem() const {
  return pem_of(parts_->certificate.get());
}

TlsIdentity Authority::issue(const std::vector<std::string>& names) const {
  CHECK(!names.empty());
  const Key key = new_key();
  const Certificate certificate = blank(names.front(), key.get());
  X509* issuer = parts_->certificate.get();
  X509_set_issuer_name(certificate.get(), X509_get_subject_name(issuer));
  add_extension(certificate.get(), issuer, NID_basic_constraints, "critical,CA:FALSE");
  add_extension(certificate.get(), issuer, NID_ext_key_usage, "serverAuth");
  add_extension(certificate.get(), issuer, NID_authority_key_identifier, "keyid");
  std::string list;
  for (const std::string& name : names) {
    list += (list.empty() ? "" : ",") + std::string(is_address(name) ? "IP:" : "DNS:") + name;
  }
  add_extension(certificate.get(), issuer, NID_subject_alt_name, list);
  CHECK(X509_sign(certificate.get(), parts_->key.get(), EVP_sha256()) > 0);
  return {.certificate = pem_of(certificate.get()), .key = base::Secret(pem_of(key.get()))};
}

}  // namespace sortie::http
