#include "sortie/base/hash.h"

#include "sortie/base/check.h"

#include <bit>
#include <cstring>

#include <openssl/evp.h>
#include <openssl/sha.h>

namespace sortie::base {

namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";

/// Looked up once: OpenSSL's own short forms do so for every digest.
const EVP_MD* sha256() {
  static const EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  CHECK(algorithm != nullptr);
  return algorithm;
}

Digest cut(const std::array<std::uint8_t, SHA256_DIGEST_LENGTH>& full) {
  Digest digest;
  std::memcpy(digest.bytes.data(), full.data(), digest.bytes.size());
  return digest;
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') {
    return c - '0';
  }
  if (c >= 'a' && c <= 'f') {
    return c - 'a' + 10;
  }
  return -1;
}

}  // namespace

std::string Digest::hex() const {
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const std::uint8_t byte : bytes) {
    text.push_back(kHexDigits[byte >> 4U]);
    text.push_back(kHexDigits[byte & 15U]);
  }
  return text;
}

std::optional<Digest> Digest::from_hex(std::string_view text) {
  Digest digest;
  if (text.size() != digest.bytes.size() * 2) {
    return std::nullopt;
  }
  for (std::size_t i = 0; i < digest.bytes.size(); ++i) {
    const int high = hex_value(text[2 * i]);
    const int low = hex_value(text[2 * i + 1]);
    if (high < 0 || low < 0) {
      return std::nullopt;
    }
    digest.bytes[i] = static_cast<std::uint8_t>(high * 16 + low);
  }
  return digest;
}

std::uint64_t Digest::low64() const {
  std::uint64_t value = 0;
  std::memcpy(&value, bytes.data(), sizeof value);
  static_assert(std::endian::native == std::endian::little);
  return value;
}

Digest digest_of(std::string_view bytes) {
  std::array<std::uint8_t, SHA256_DIGEST_LENGTH> full{};
  CHECK(EVP_Digest(bytes.data(), bytes.size(), full.data(), nullptr, sha256(), nullptr) == 1);
  return cut(full);
}

struct FieldHasher::State {
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context{EVP_MD_CTX_new(),
                                                                  &EVP_MD_CTX_free};
};

FieldHasher::FieldHasher(std::string_view domain) : state_(std::make_unique<State>()) {
  CHECK(state_->context != nullptr);
  CHECK(EVP_DigestInit_ex(state_->context.get(), sha256(), nullptr) == 1);
  feed(domain);
}

FieldHasher::~FieldHasher() = default;

void FieldHasher::feed(std::string_view bytes) {
  const std::uint64_t size = bytes.size();
  CHECK(EVP_DigestUpdate(state_->context.get(), &size, sizeof size) == 1);
  CHECK(EVP_DigestUpdate(state_->context.get(), bytes.data(), bytes.size()) == 1);
}

FieldHasher& FieldHasher::field(std::string_view name, std::string_view value) {
  feed(name);
  feed(value);
  return *this;
}

FieldHasher& FieldHasher::field(std::string_view name, std::int64_t value) {
  return field(name, std::string_view(std::to_string(value)));
}

FieldHasher& FieldHasher::field(std::string_view name, const Digest& value) {
  return field(
      name,
      std::string_view(reinterpret_cast<const char*>(value.bytes.data()), value.bytes.size()));
}

Digest FieldHasher::finish() {
  std::array<std::uint8_t, SHA256_DIGEST_LENGTH> full{};
  unsigned int size = 0;
  CHECK(EVP_DigestFinal_ex(state_->context.get(), full.data(), &size) == 1);
  CHECK(size == full.size());
  return cut(full);
}

}  // namespace sortie::base
