#include "sortie/base/secret.h"

#include "sortie/base/error.h"
#include "sortie/base/text.h"
#include "sortie/base/time.h"
#include "sortie/spec/command.h"
#include "sortie/spec/file.h"
#include "sortie/spec/load.h"
#include "sortie/spec/model.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

namespace sortie::spec {
namespace {

constexpr std::size_t kSecretBytesMax = 4'096;
constexpr base::Duration kCommandTime = std::chrono::seconds(10);

std::unexpected<base::Error> refused(const Position& where,
                                     base::ErrorCode code,
                                     std::string_view message) {
  return base::failure(base::Remedy::bad_input,
                       code,
                       fmt::format("{}:{}:{}: {}", where.file, where.line, where.column, message));
}

/// What every source must yield: one line of visible ASCII, since it becomes part of a header.
/// `source` names the place.
base::Result<base::Secret> checked(std::string value,
                                   const Position& where,
                                   std::string_view source) {
  const std::string_view trimmed = base::trim(value);
  const bool visible = std::ranges::all_of(trimmed, [](char c) { return c > ' ' && c < '\x7F'; });
  base::Secret secret{std::string(trimmed)};
  ::explicit_bzero(value.data(), value.size());
  if (secret.empty()) {
    return refused(where, base::ErrorCode::not_found, fmt::format("{} is empty", source));
  }
  if (!visible || secret.reveal().size() > kSecretBytesMax) {
    return refused(where,
                   base::ErrorCode::invalid,
                   fmt::format("{} does not hold a key: expected one word of visible ASCII "
                               "characters, at most {} bytes",
                               source,
                               kSecretBytesMax));
  }
  return secret;
}

base::Result<base::Secret> from_environment(const SecretRef& ref) {
  const char* value = std::getenv(ref.target.c_str());
  const std::string source = fmt::format("the environment variable {}", ref.target);
  if (value == nullptr) {
    return refused(ref.where,
                   base::ErrorCode::not_found,
                   fmt::format("{} is not set; first run: export {}=…", source, ref.target));
  }
  return checked(value, ref.where, source);
}

base::Result<base::Secret> from_file(const SecretRef& ref, const std::string& endpoints_file) {
  const std::string path = resolve_path(ref.target, endpoints_file);
  struct stat status = {};
  if (::stat(path.c_str(), &status) != 0) {
    const int error = errno;
    return refused(ref.where,
                   error == ENOENT ? base::ErrorCode::not_found : base::ErrorCode::io,
                   fmt::format("the key file {} cannot be read: {}", path, std::strerror(error)));
  }
  if (status.st_uid != ::geteuid()) {
    return refused(ref.where,
                   base::ErrorCode::invalid,
                   fmt::format("the key file {} belongs to another user", path));
  }
  if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    return refused(
        ref.where,
        base::ErrorCode::invalid,
        fmt::format("the key file {} has mode {:04o} and is open to others; run: chmod 600 {}",
                    path,
                    status.st_mode & 07777U,
                    path));
  }
  base::Result<std::string> bytes = read_file(path, kSecretBytesMax);
  if (!bytes) {
    return refused(
        ref.where, bytes.error().code, fmt::format("the key file {}", bytes.error().message));
  }
  return checked(std::move(*bytes), ref.where, fmt::format("the key file {}", path));
}

/// A command may run only if nobody else can have written it.
base::Status check_owner(const SecretRef& ref, const std::string& endpoints_file) {
  struct stat status = {};
  if (::stat(endpoints_file.c_str(), &status) != 0) {
    const int error = errno;
    return refused(
        ref.where,
        base::ErrorCode::io,
        fmt::format("cmd: {} cannot be examined: {}", endpoints_file, std::strerror(error)));
  }
  if (status.st_uid != ::geteuid()) {
    return refused(
        ref.where,
        base::ErrorCode::invalid,
        fmt::format("cmd: is not run, since {} belongs to another user", endpoints_file));
  }
  if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return refused(
        ref.where,
        base::ErrorCode::invalid,
        fmt::format("cmd: is not run, since {} can be written by others; run: chmod go-w {}",
                    endpoints_file,
                    endpoints_file));
  }
  return {};
}

base::Result<base::Secret> from_command(const SecretRef& ref, const std::string& endpoints_file) {
  TRY(check_owner(ref, endpoints_file));
  const std::string source = fmt::format("the command '{}'", ref.argv.front());
  base::Result<std::string> line =
      first_line_of(ref.argv, {.bytes_max = kSecretBytesMax, .time_max = kCommandTime});
  if (!line) {
    return refused(
        ref.where, line.error().code, fmt::format("{} {}", source, line.error().message));
  }
  return checked(std::move(*line), ref.where, fmt::format("the output of {}", source));
}

}  // namespace

base::Result<base::Secret> resolve_secret(const SecretRef& ref, const std::string& endpoints_file) {
  switch (ref.kind) {
    case SecretRef::Kind::none:
      return base::Secret();
    case SecretRef::Kind::env:
      return from_environment(ref);
    case SecretRef::Kind::file:
      return from_file(ref, endpoints_file);
    case SecretRef::Kind::cmd:
      return from_command(ref, endpoints_file);
  }
  return base::Secret();
}

}  // namespace sortie::spec
