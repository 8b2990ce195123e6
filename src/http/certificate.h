#pragma once

#include "sortie/base/error.h"
#include "sortie/base/secret.h"

#include <memory>
#include <string>
#include <vector>

namespace sortie::http {

/// What a TLS server shows and keeps.
struct TlsIdentity {
  std::string certificate;  // PEM: its own, then those that lead to an authority
  base::Secret key;         // PEM
};

/// Certificates in PEM, at least one, each of which can be read.
[[nodiscard]] base::Status check_certificates(const std::string& pem);

/// The same, and the key of the first of them in PEM, without a password.
[[nodiscard]] base::Status check_identity(const TlsIdentity& identity);

/// A certificate authority that is made when it is needed and forgotten with the process: for
/// servers on loopback, whose clients are told to trust it. P-256; valid for thirty days.
class Authority {
 public:
  /// `name` is shown where somebody looks at the certificate.
  explicit Authority(const std::string& name);
  Authority(const Authority&) = delete;
  Authority& operator=(const Authority&) = delete;
  ~Authority();

  /// What clients trust.
  [[nodiscard]] std::string pem() const;

  /// For a server that is reached under these names: host names and numeric addresses.
  [[nodiscard]] TlsIdentity issue(const std::vector<std::string>& names) const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace sortie::http
