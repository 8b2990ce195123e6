#include "sortie/ledger/packer.h"

#include "sortie/base/hash.h"
#include "sortie/ledger/compression.h"

#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

namespace sortie::ledger {

namespace {

/// So many contents that nobody has claimed mean that the writer is behind.
constexpr std::size_t kBehind = 32;

}  // namespace

bool PackedMessage::claim() {
  State expected = State::untouched;
  return state_.compare_exchange_strong(expected, State::claimed);
}

void PackedMessage::pack(Compressor& compressor) {
  digest_ = base::digest_of(content_);
  frame_ = compressor.compress(content_);
  state_.store(State::packed);
  state_.notify_all();
}

void PackedMessage::wait() const {
  for (State state = state_.load(); state != State::packed; state = state_.load()) {
    state_.wait(state);
  }
}

Packer::Packer() : thread_(&Packer::pack_until_stopped, this) {}

Packer::~Packer() {
  {
    const std::scoped_lock guard(mutex_);
    stopping_ = true;
  }
  work_.notify_one();
  thread_.join();
}

void Packer::add(std::shared_ptr<PackedMessage> message) {
  bool behind = false;
  {
    const std::scoped_lock guard(mutex_);
    while (!waiting_.empty() && waiting_.front()->is_claimed()) {
      waiting_.pop_front();
    }
    waiting_.push_back(std::move(message));
    behind = waiting_.size() == kBehind;
  }
  if (behind) {
    work_.notify_one();
  }
}

void Packer::pack_until_stopped() {
  Compressor compressor;
  while (true) {
    std::deque<std::shared_ptr<PackedMessage>> batch;
    {
      std::unique_lock guard(mutex_);
      work_.wait(guard, [this] { return stopping_ || waiting_.size() >= kBehind; });
      if (stopping_) {
        return;
      }
      batch.swap(waiting_);
    }
    for (const std::shared_ptr<PackedMessage>& message : batch) {
      if (message->claim()) {
        message->pack(compressor);
      }
    }
  }
}

}  // namespace sortie::ledger
