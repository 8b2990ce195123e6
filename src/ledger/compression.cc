#include "sortie/ledger/compression.h"

#include "sortie/base/check.h"
#include "sortie/base/error.h"

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <zstd.h>

namespace sortie::ledger {

namespace {

// Level 1 packs 1.5 KB of prose to within 3 % of what level 3 does, in half the time.
constexpr int kLevel = 1;

std::unexpected<base::Error> damaged(std::string message) {
  return base::failure(base::Remedy::fail_campaign, base::ErrorCode::integrity, std::move(message));
}

}  // namespace

struct Compressor::State {
  std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> context{ZSTD_createCCtx(), &ZSTD_freeCCtx};
  std::string frame;
};

Compressor::Compressor() : state_(std::make_unique<State>()) {
  CHECK(state_->context != nullptr);
}

Compressor::~Compressor() = default;

std::string_view Compressor::compress(std::string_view content) {
  if (content.size() < kCompressFromBytes) {
    return {};
  }
  const std::size_t bound = ZSTD_compressBound(content.size());
  if (state_->frame.size() < bound) {
    state_->frame.resize(bound);
  }
  const std::size_t size = ZSTD_compressCCtx(state_->context.get(),
                                             state_->frame.data(),
                                             state_->frame.size(),
                                             content.data(),
                                             content.size(),
                                             kLevel);
  if (ZSTD_isError(size) != 0 || size >= content.size()) {
    return {};
  }
  return {state_->frame.data(), size};
}

base::Result<std::string> decoded(std::string_view encoding,
                                  std::int64_t size,
                                  std::string_view stored) {
  if (encoding == "zstd") {
    return decompress(stored, static_cast<std::size_t>(size));
  }
  if (stored.size() != static_cast<std::size_t>(size)) {
    return damaged("a content has another size than recorded");
  }
  return std::string(stored);
}

base::Result<std::string> decompress(std::string_view frame, std::size_t size) {
  if (size > kContentBytesMax) {
    return damaged(fmt::format("a content of {} bytes is beyond the limit", size));
  }
  std::string content(size, '\0');
  // Making a context takes longer than decompressing a few hundred bytes.
  thread_local const std::unique_ptr<ZSTD_DCtx, decltype(&ZSTD_freeDCtx)> context(ZSTD_createDCtx(),
                                                                                  &ZSTD_freeDCtx);
  CHECK(context != nullptr);
  const std::size_t got =
      ZSTD_decompressDCtx(context.get(), content.data(), size, frame.data(), frame.size());
  if (ZSTD_isError(got) != 0) {
    return damaged(fmt::format("zstd: {}", ZSTD_getErrorName(got)));
  }
  if (got != size) {
    return damaged(fmt::format("a content has {} bytes instead of {}", got, size));
  }
  return content;
}

}  // namespace sortie::ledger
