#pragma once

#include "sortie/base/hash.h"
#include "sortie/ledger/compression.h"

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

namespace sortie::ledger {

/// A content with its digest and its zstd frame, which whoever claims it first makes: the thread
/// that packs ahead, or the writer.
class PackedMessage {
 public:
  explicit PackedMessage(std::string content) : content_(std::move(content)) {}

  [[nodiscard]] const std::string& content() const { return content_; }

  /// True for one caller only: digest and frame are its own business then.
  [[nodiscard]] bool claim();

  [[nodiscard]] bool is_claimed() const { return state_.load() != State::untouched; }

  /// By the claimer, for others.
  void pack(Compressor& compressor);

  /// Returns when whoever claimed it has packed it.
  void wait() const;

  [[nodiscard]] const base::Digest& digest() const { return digest_; }

  /// Empty where the content is stored as it is.
  [[nodiscard]] std::string_view frame() const { return frame_; }

 private:
  enum class State : std::uint8_t { untouched, claimed, packed };

  std::string content_;
  std::atomic<State> state_ = State::untouched;
  base::Digest digest_;
  std::string frame_;
};

/// Packs contents ahead of a writer that has fallen behind, on a thread of its own: compression is
/// half of what a large answer costs. While the writer keeps up the thread sleeps.
class Packer {
 public:
  Packer();
  ~Packer();
  Packer(const Packer&) = delete;
  Packer& operator=(const Packer&) = delete;

  /// From one thread at a time.
  void add(std::shared_ptr<PackedMessage> message);

 private:
  void pack_until_stopped();

  std::mutex mutex_;
  std::condition_variable work_;
  // Shared with the queue of the ledger, until both have let go.
  std::deque<std::shared_ptr<PackedMessage>> waiting_;
  bool stopping_ = false;
  std::thread thread_;  // last: it uses all the rest
};

}  // namespace sortie::ledger
