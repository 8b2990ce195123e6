#include "sortie/app/detach.h"

#include <array>
#include <cerrno>
#include <cstdio>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

namespace sortie::app {

namespace {

/// Until the other end is closed.
std::string read_all(int descriptor) {
  std::string text;
  std::array<char, 4096> buffer{};
  for (;;) {
    const ssize_t n = ::read(descriptor, buffer.data(), buffer.size());
    if (n > 0) {
      text.append(buffer.data(), static_cast<std::size_t>(n));
    } else if (n == 0 || errno != EINTR) {
      return text;
    }
  }
}

/// As a shell would tell it.
int exit_code_of_child(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

base::Result<Detachment::Parted> Detachment::part() {
  std::array<int, 2> pipe{};
  if (::pipe2(pipe.data(), O_CLOEXEC) != 0) {
    return base::io_error("cannot make a pipe", errno);
  }
  std::fflush(nullptr);  // or both would write what is not written yet
  const pid_t child = ::fork();
  if (child < 0) {
    const int error = errno;
    ::close(pipe[0]);
    ::close(pipe[1]);
    return base::io_error("cannot start a process", error);
  }
  if (child == 0) {
    ::close(pipe[0]);
    return Parted(std::unique_ptr<Detachment>(new Detachment(pipe[1])));
  }
  ::close(pipe[1]);
  Child result{.process = child, .word = read_all(pipe[0]), .exit_code = {}};
  ::close(pipe[0]);
  if (result.word.empty()) {
    result.exit_code = exit_code_of_child(child);
  }
  return Parted(std::move(result));
}

Detachment::~Detachment() {
  if (pipe_ >= 0) {
    ::close(pipe_);
  }
}

base::Status Detachment::leave(const std::string& output, const std::string& word) {
  const int nothing = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  const int file = ::open(output.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (nothing < 0 || file < 0) {
    const int error = errno;
    ::close(nothing);
    ::close(file);
    return base::io_error(fmt::format("cannot open {}", output), error);
  }
  std::fflush(nullptr);
  ::setsid();  // out of the terminal's session: no hang-up reaches it, nor its Ctrl-C
  ::dup2(nothing, STDIN_FILENO);
  ::dup2(file, STDOUT_FILENO);
  ::dup2(file, STDERR_FILENO);
  ::close(nothing);
  ::close(file);
  const ssize_t written = ::write(pipe_, word.data(), word.size());
  ::close(pipe_);
  pipe_ = -1;
  return written == static_cast<ssize_t>(word.size())
             ? base::Status()
             : base::io_error("cannot tell the terminal", errno);
}

}  // namespace sortie::app
