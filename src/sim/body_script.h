#pragma once

#include "sortie/base/time.h"
#include "sortie/sim/reply.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace sortie::sim {

/// How the body of a streamed reply reaches its client: step by step, counted from arrival.
class BodyScript {
 public:
  struct Step {
    enum class Kind : std::uint8_t {
      piece,   // bytes of the body
      end,     // of the body
      broken,  // the connection is lost within the body
    };

    base::Duration at{};
    Kind kind = Kind::piece;
    std::string bytes{};  // of a piece
  };

  BodyScript() = default;
  explicit BodyScript(Reply reply);

  /// False for a reply whose body does not come in pieces: a plain answer, or none.
  [[nodiscard]] static bool plays(const Reply& reply);

  /// When the head leaves.
  [[nodiscard]] base::Duration head_at() const;

  /// What is next; nullopt: nothing more, for ever.
  [[nodiscard]] std::optional<base::Duration> next_at() const;

  /// Takes it.
  Step next();

 private:
  [[nodiscard]] bool is_endless() const;
  [[nodiscard]] std::size_t pieces_end() const;

  Reply reply_;
  std::size_t taken_ = 0;  // pieces
};

}  // namespace sortie::sim
