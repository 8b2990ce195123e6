#include "sortie/base/secret.h"

#include "sortie/base/hash.h"

#include <openssl/crypto.h>

namespace sortie::base {

Secret::~Secret() {
  OPENSSL_cleanse(value_.data(), value_.size());
}

Secret::Secret(Secret&& other) noexcept : value_(std::move(other.value_)) {
  OPENSSL_cleanse(other.value_.data(), other.value_.size());
}

Secret& Secret::operator=(Secret&& other) noexcept {
  if (this != &other) {
    OPENSSL_cleanse(value_.data(), value_.size());
    value_ = std::move(other.value_);
    OPENSSL_cleanse(other.value_.data(), other.value_.size());
  }
  return *this;
}

std::string Secret::fingerprint() const {
  return FieldHasher("sortie.secret.v1")
      .field("value", std::string_view(value_))
      .finish()
      .hex()
      .substr(0, 12);
}

}  // namespace sortie::base
