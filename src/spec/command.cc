#include "sortie/spec/command.h"

#include "sortie/base/error.h"
#include "sortie/base/time.h"

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <expected>
#include <optional>
#include <string>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

namespace sortie::spec {
namespace {

constexpr std::size_t kReadBytes = 4'096;

/// A child process whose standard output we read; it leads a process group of its own, which ends
/// with this object.
class Command {
 public:
  /// 0 or an errno value.
  int start(const std::vector<std::string>& arguments);

  Command() = default;
  Command(const Command&) = delete;
  Command& operator=(const Command&) = delete;
  ~Command();

  enum class End : std::uint8_t { closed, too_long, too_late, failed };

  /// Reads until the child closes its output.
  End read_output(std::string& output, std::size_t bytes_max, base::Instant deadline);

  /// Waits until the child has ended. nullopt: it did not, or died of a signal.
  std::optional<int> exit_code(base::Instant deadline);

 private:
  pid_t child_ = -1;
  int output_ = -1;
};

int Command::start(const std::vector<std::string>& arguments) {
  std::array<int, 2> ends = {-1, -1};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    return errno;
  }
  output_ = ends[0];
  std::vector<char*> argv;
  for (const std::string& argument : arguments) {
    // posix_spawn's type promises no constness but it changes nothing.
    argv.push_back(const_cast<char*>(argument.c_str()));
  }
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawnattr_init(&attributes);
  ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  // What a password manager writes there may hold the secret.
  ::posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  const int error = ::posix_spawnp(&child_, argv[0], &actions, &attributes, argv.data(), environ);
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  if (error != 0) {
    child_ = -1;
  }
  return error;
}

Command::~Command() {
  if (output_ >= 0) {
    ::close(output_);
  }
  if (child_ > 0) {
    ::kill(-child_, SIGKILL);
    while (::waitpid(child_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
}

Command::End Command::read_output(std::string& output,
                                  std::size_t bytes_max,
                                  base::Instant deadline) {
  const base::SystemClock clock;
  std::array<char, kReadBytes> buffer{};
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - clock.now());
    pollfd waiting = {.fd = output_, .events = POLLIN, .revents = 0};
    const int ready = left.count() > 0 ? ::poll(&waiting, 1, static_cast<int>(left.count())) : 0;
    if (ready == 0) {
      return End::too_late;
    }
    const ssize_t count = ready < 0 ? ready : ::read(output_, buffer.data(), buffer.size());
    if (count < 0 && errno != EINTR) {
      return End::failed;
    }
    if (count == 0) {
      return End::closed;
    }
    output.append(buffer.data(), count > 0 ? static_cast<std::size_t>(count) : 0);
    ::explicit_bzero(buffer.data(), buffer.size());
    if (output.size() > bytes_max) {
      return End::too_long;
    }
  }
}

std::optional<int> Command::exit_code(base::Instant deadline) {
  const base::SystemClock clock;
  int status = 0;
  pid_t ended = 0;
  // The output is closed, so the child is about to end: short naps, no signal handler.
  while ((ended = ::waitpid(child_, &status, WNOHANG)) == 0 && clock.now() < deadline) {
    ::poll(nullptr, 0, 1);
  }
  if (ended != child_) {
    return std::nullopt;
  }
  child_ = -1;
  return WIFEXITED(status) ? std::optional(WEXITSTATUS(status)) : std::nullopt;
}

base::Error ended_badly(Command::End end, CommandLimits limits) {
  switch (end) {
    case Command::End::too_long:
      return {.code = base::ErrorCode::invalid,
              .message = fmt::format("printed more than {} bytes", limits.bytes_max)};
    case Command::End::too_late:
      return {.code = base::ErrorCode::timeout,
              .message = fmt::format("did not end within {}", base::human(limits.time_max))};
    case Command::End::closed:
    case Command::End::failed:
      break;
  }
  return {.code = base::ErrorCode::io, .message = "printed something that could not be read"};
}

/// A text that may hold a secret: cleared before its memory goes.
class Output {
 public:
  /// Reserved at once, so that no growth leaves a copy behind.
  explicit Output(std::size_t bytes_max) { text.reserve(bytes_max); }

  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  ~Output() { ::explicit_bzero(text.data(), text.size()); }

  std::string text;
};

}  // namespace

base::Result<std::string> first_line_of(const std::vector<std::string>& arguments,
                                        CommandLimits limits) {
  const base::Instant deadline = base::SystemClock().now() + limits.time_max;
  Command command;
  if (const int error = command.start(arguments); error != 0) {
    return base::failure(base::Remedy::bad_input,
                         base::ErrorCode::io,
                         fmt::format("cannot be run: {}", std::strerror(error)));
  }
  Output output(limits.bytes_max + kReadBytes);
  if (const Command::End end = command.read_output(output.text, limits.bytes_max, deadline);
      end != Command::End::closed) {
    return std::unexpected(ended_badly(end, limits));
  }
  const std::optional<int> code = command.exit_code(deadline);
  if (code != 0) {
    return base::failure(base::Remedy::bad_input,
                         base::ErrorCode::io,
                         code ? fmt::format("ended with exit code {}", *code)
                              : "was ended by a signal or did not end");
  }
  return output.text.substr(0, output.text.find('\n'));
}

}  // namespace sortie::spec
