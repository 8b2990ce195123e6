#pragma once

#include "sortie/base/error.h"

#include <memory>
#include <optional>
#include <string>
#include <variant>

namespace sortie::app {

/// A command that begins at a terminal and goes on without it, as daemons do: it forks before it
/// does anything; what it has to say until it is under way still goes to the terminal.
class Detachment {
 public:
  /// What the process at the terminal knows of the one that goes on.
  struct Child {
    int process = 0;
    std::string word;              // what it said in leaving
    std::optional<int> exit_code;  // it ended without leaving
  };

  /// The process that is to do the work, or what became of it once it has left or ended.
  using Parted = std::variant<std::unique_ptr<Detachment>, Child>;

  /// Forks: the first alternative in the process that is to do the work, the second in the one that
  /// waits at the terminal. To be called while there is one thread. Errors: io.
  [[nodiscard]] static base::Result<Parted> part();

  Detachment(const Detachment&) = delete;
  Detachment& operator=(const Detachment&) = delete;
  Detachment(Detachment&&) = delete;
  Detachment& operator=(Detachment&&) = delete;
  ~Detachment();

  /// Leaves the terminal: from here on output is appended to the file `output`, which its owner
  /// alone reads, and `word`, not empty, is what the waiting process is told. Errors: io.
  [[nodiscard]] base::Status leave(const std::string& output, const std::string& word);

 private:
  explicit Detachment(int pipe) : pipe_(pipe) {}

  int pipe_;  // its end of the pipe to the waiting process
};

}  // namespace sortie::app
