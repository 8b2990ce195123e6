#include "sortie/engine/replay.h"

#include "sortie/base/json.h"
#include "sortie/chat/message.h"
#include "sortie/dialogue/transcript.h"

#include <utility>

namespace sortie::engine {

base::Result<dialogue::Event> event_of(const ledger::StoredTurn& turn) {
  if (turn.record.finish == dialogue::to_string(dialogue::End::context_full)) {
    return dialogue::ContextFull{};
  }
  TRY_ASSIGN(const json::Value value, json::parse(turn.record.answer));
  TRY_ASSIGN(chat::Answer answer, chat::answer_from_json(value));
  return dialogue::Answered{std::move(answer)};
}

}  // namespace sortie::engine
