#include "sortie/app/web_page.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>
#include <string>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

namespace sortie::app {

namespace {

constexpr std::size_t kTokenBytes = 16;
constexpr std::size_t kTokenCharactersMin = 16;
constexpr std::size_t kTokenCharactersMax = 200;
constexpr std::size_t kConnectionsMax = 2000;

base::Result<std::string> new_token() {
  std::array<unsigned char, kTokenBytes> bytes{};
  if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    return base::io_error("cannot draw a token", errno);
  }
  std::string token;
  for (const unsigned char byte : bytes) {
    token += fmt::format("{:02x}", byte);
  }
  return token;
}

base::Status write_token(const std::string& path, const std::string& token) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file < 0) {
    return base::io_error(fmt::format("cannot create {}", path), errno);
  }
  const std::string text = token + "\n";
  const bool written = ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  const int error = errno;
  ::close(file);
  return written ? base::Status() : base::io_error(fmt::format("cannot write {}", path), error);
}

/// From the file, which is made if it does not exist.
base::Result<base::Secret> token_from(const std::string& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) {
    TRY_ASSIGN(const std::string token, new_token());
    TRY(write_token(path, token));
    return base::Secret(token);
  }
  if ((status.st_mode & 077U) != 0) {
    return base::failure(base::Remedy::bad_input,
                         base::ErrorCode::refused,
                         fmt::format("{} can be read by others: chmod 600 {}", path, path));
  }
  std::ifstream file(path);
  std::string token;
  file >> token;
  const bool plain = std::ranges::all_of(
      token, [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-'; });
  if (!plain || token.size() < kTokenCharactersMin || token.size() > kTokenCharactersMax) {
    return base::bad_input(
        fmt::format("{}: expected a token of {} to {} letters, digits and '-'; remove the file, "
                    "and one is made",
                    path,
                    kTokenCharactersMin,
                    kTokenCharactersMax));
  }
  return base::Secret(token);
}

base::Result<base::Secret> token_of(const PageOptions& options) {
  if (!options.token_file.empty()) {
    return token_from(options.token_file);
  }
  TRY_ASSIGN(std::string token, new_token());
  return base::Secret(std::move(token));
}

/// Whoever floods the page must leave files for the run.
std::size_t connections_max() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) {
    return kConnectionsMax / 8;
  }
  return std::clamp<std::size_t>(limit.rlim_cur / 4, 16, kConnectionsMax);
}

}  // namespace

void add_page_options(CLI::App& command, PageOptions& options, const std::string& prefix) {
  command.add_option("--" + prefix + "port", options.port, "Port of the page; 0: one that is free")
      ->capture_default_str();
  command
      .add_option("--" + prefix + "listen",
                  options.address,
                  "IPv4 address of this machine where others reach the page, 0.0.0.0: all that it "
                  "has; what is sent there is not encrypted")
      ->capture_default_str();
  command.add_option("--token-file",
                     options.token_file,
                     "File of mode 0600 that holds the page's token, made if it does not exist; "
                     "without it each start draws a new one");
}

base::Result<std::unique_ptr<WebPage>> WebPage::open(aio::Loop& loop,
                                                     const PageOptions& options,
                                                     monitor::WebServer::Places places) {
  TRY_ASSIGN(base::Secret token, token_of(options));
  std::unique_ptr<WebPage> page(new WebPage());
  TRY_ASSIGN(page->server_,
             monitor::WebServer::listen(loop,
                                        {.address = options.address,
                                         .port = options.port,
                                         .token = std::move(token),
                                         .connections_max = connections_max()},
                                        std::move(places),
                                        page->transcripts_));
  if (!options.address.starts_with("127.")) {
    fmt::print(stderr,
               "The page listens on {}: what it sends is not encrypted, and whoever has the link "
               "can see and steer runs.\n",
               options.address);
  }
  return page;
}

}  // namespace sortie::app
