#pragma once

#include "sortie/base/hash.h"
#include "sortie/chat/message.h"
#include "sortie/dialogue/dialogue.h"
#include "sortie/dialogue/rules.h"
#include "sortie/dialogue/transcript.h"
#include "sortie/sim/profile.h"
#include "sortie/sim/provider_sim.h"
#include "sortie/suite/task.h"
#include "sortie/suite/trial.h"
#include "sortie/wire/message.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

// What the tests of this module share: requests by hand and whole dialogues against a provider.

namespace sortie::sim {

/// A chat completions request about these messages.
[[nodiscard]] std::string chat_body(std::string_view model,
                                    const std::vector<chat::Message>& messages,
                                    bool functions = false);

/// "Say something." to a model: no task of any suite.
[[nodiscard]] std::string small_talk(std::string_view model);

/// POST /v1/chat/completions. Empty key or attempt: without that header.
struct Asked {
  std::string body;
  std::string key;
  std::string attempt;
};

[[nodiscard]] Reply ask(SimulatedProvider& provider, const Asked& asked, base::Instant now);

/// The answer in a response of status 200.
[[nodiscard]] chat::Answer decode(const wire::Response& response);

struct Played {
  dialogue::Transcript transcript;
  std::vector<chat::Answer> answers;
};

struct Trial {
  std::string model;
  base::Digest key;
  suite::TrialParams params;
};

/// One whole dialogue; every request is answered at once.
[[nodiscard]] Played play(SimulatedProvider& provider,
                          const dialogue::Rules& rules,
                          const suite::Task& task,
                          const Trial& trial,
                          dialogue::DialogueOptions options = {});

/// A provider of one model, without keys, limits, faults or latency.
[[nodiscard]] ProviderProfile one_model(std::string_view name, const Skill& skill);

}  // namespace sortie::sim
