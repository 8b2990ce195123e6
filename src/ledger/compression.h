#pragma once

#include "sortie/base/error.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace sortie::ledger {

/// Contents shorter than this are stored as they are: a zstd frame would not pay for its header.
inline constexpr std::size_t kCompressFromBytes = 128;

/// Contents longer than this are refused on both sides: nothing a model answers comes near, and a
/// damaged size must not become an allocation.
inline constexpr std::size_t kContentBytesMax = 512UL * 1024 * 1024;

/// Compresses one content after the other with one zstd context; one thread.
class Compressor {
 public:
  Compressor();
  ~Compressor();
  Compressor(const Compressor&) = delete;
  Compressor& operator=(const Compressor&) = delete;

  /// A zstd frame, valid until the next call; empty when the content is short or does not shrink.
  [[nodiscard]] std::string_view compress(std::string_view content);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// A message's content as a row of the table has it: encoding, size of the content, what is stored.
[[nodiscard]] base::Result<std::string> decoded(std::string_view encoding,
                                                std::int64_t size,
                                                std::string_view stored);

/// The content of a frame; `size` is what the ledger says it must have.
[[nodiscard]] base::Result<std::string> decompress(std::string_view frame, std::size_t size);

}  // namespace sortie::ledger
