#include "sortie/ledger/packer.h"

#include "sortie/base/hash.h"
#include "sortie/ledger/compression.h"
#include "sortie/ledger/test_support.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace sortie::ledger {
namespace {

std::string answer_text(std::size_t number) {
  std::string text = fmt::format("answer {} ", number);
  while (text.size() < 3000) {
    text += fmt::format("word {} ", text.size() % 97);
  }
  return text;
}

TEST(PackedMessage, belongs_to_the_first_who_claims_it) {
  PackedMessage message(answer_text(1));
  EXPECT_FALSE(message.is_claimed());
  std::atomic<int> claims = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] { claims += message.claim() ? 1 : 0; });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(claims, 1);
}

TEST(PackedMessage, others_wait_until_it_is_packed) {
  PackedMessage message(answer_text(1));
  ASSERT_TRUE(message.claim());
  std::thread claimer([&] {
    Compressor compressor;
    message.pack(compressor);
  });
  message.wait();
  EXPECT_EQ(message.digest(), base::digest_of(message.content()));
  const auto content = decompress(message.frame(), message.content().size());
  ASSERT_TRUE(content.has_value()) << content.error().message;
  EXPECT_EQ(*content, message.content());
  claimer.join();
}

TEST(Packer, packs_what_nobody_has_claimed) {
  std::vector<std::shared_ptr<PackedMessage>> messages;
  Packer packer;
  for (std::size_t i = 0; i < 200; ++i) {
    messages.push_back(std::make_shared<PackedMessage>(answer_text(i)));
    packer.add(messages.back());
  }
  // The first of them are many enough to wake it.
  for (std::size_t i = 0; i < 32; ++i) {
    messages[i]->wait();
    EXPECT_EQ(messages[i]->digest(), base::digest_of(messages[i]->content()));
  }
}

std::string stored_text(std::int64_t turn) {
  // Some are equal, some too short to be compressed.
  return turn % 7 == 0 ? fmt::format("short {}", turn)
                       : answer_text(static_cast<std::size_t>(turn / 2));
}

TEST(Packer, a_burst_of_answers_is_stored_as_it_was_appended) {
  const RunDirectory directory;
  constexpr std::int64_t kTurns = 2000;
  {
    const auto ledger = open_ledger(directory.path());
    ledger->append(cell_record());
    ledger->append(trial_record(1));
    for (std::int64_t turn = 0; turn < kTurns; ++turn) {
      ledger->append(attempt_record(turn + 1, 1, turn));
      ledger->append_together(
          {end_record(turn + 1), turn_record(turn + 1, 1, turn, stored_text(turn))});
    }
    ASSERT_TRUE(ledger->flush().has_value());
  }
  const auto reader = open_reader(directory.path());
  const auto turns = reader->turns(1);
  ASSERT_TRUE(turns.has_value()) << turns.error().message;
  ASSERT_EQ(turns->size(), static_cast<std::size_t>(kTurns));
  for (std::int64_t turn = 0; turn < kTurns; ++turn) {
    ASSERT_EQ((*turns)[static_cast<std::size_t>(turn)].record.answer, stored_text(turn)) << turn;
  }
  EXPECT_EQ(failing(*reader), std::vector<std::string>());
}

}  // namespace
}  // namespace sortie::ledger
