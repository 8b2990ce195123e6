// How many turns per second the simulator itself manages: dialogues of the pilot are played once
// and their requests kept; then a fresh provider answers all of them again, each turn of all
// dialogues before the next as concurrent dialogues do. One thread, no sockets; processor time.
//
//   sim_bench [DIALOGUES] [SKILL]

#include "sortie/base/hash.h"
#include "sortie/base/time.h"
#include "sortie/dialogue/dialogue.h"
#include "sortie/dialogue/rules.h"
#include "sortie/provider/dialect.h"
#include "sortie/sim/profile.h"
#include "sortie/sim/provider_sim.h"
#include "sortie/suite/suite.h"

#include "bench/common.h"
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <string>
#include <variant>
#include <vector>

#include <fmt/format.h>

namespace {

using namespace sortie;  // a program of one file
using bench::must;

/// The prompts of the reference campaign, in about its proportions.
constexpr std::array<suite::Prompt, 4> kPrompts = {
    {{.style = suite::PromptStyle::optimal, .flaw = suite::Flaw::none},
     {.style = suite::PromptStyle::baseline, .flaw = suite::Flaw::none},
     {.style = suite::PromptStyle::flawed, .flaw = suite::Flaw::tool_misuse},
     {.style = suite::PromptStyle::flawed, .flaw = suite::Flaw::missing_step}}};

/// Of this process: what it costs, whoever else uses the machine.
double cpu_seconds() {
  return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
}

sim::Reply ask(sim::SimulatedProvider& provider, const wire::Request& request) {
  sim::Reply reply = provider.handle({.method = wire::Method::post,
                                      .target = "/v1/chat/completions",
                                      .headers = request.headers,
                                      .body = request.body},
                                     base::Instant{});
  provider.finished(reply.id, base::Instant{}, false);
  return reply;
}

/// The requests of one dialogue, in order.
std::vector<wire::Request> record(sim::SimulatedProvider& provider,
                                  const dialogue::Rules& rules,
                                  const suite::Task& task,
                                  std::size_t number) {
  suite::TrialParams params;
  params.prompt = kPrompts.at(number % kPrompts.size());
  dialogue::Dialogue dialogue(rules, task, params);
  const provider::Capability capability;
  chat::Sampling sampling;
  sampling.max_tokens = 4096;
  std::vector<wire::Request> requests;
  const std::string trial = base::digest_of(fmt::format("trial {}", number)).hex();
  while (std::holds_alternative<dialogue::AskModel>(dialogue.need())) {
    wire::Request request = provider::openai().encode({.base_url = "http://sim/v1",
                                                       .api_name = "bench",
                                                       .key = nullptr,
                                                       .messages = &dialogue.history(),
                                                       .functions = nullptr,
                                                       .sampling = sampling,
                                                       .capability = &capability});
    request.headers.add(std::string(sim::kAttemptHeader),
                        fmt::format("{}/{}/0", trial, dialogue.turns_done()));
    const auto decoded = provider::openai().decode(ask(provider, request).response, {});
    requests.push_back(std::move(request));
    if (!decoded) {
      fmt::print(stderr, "sim_bench: {}\n", decoded.error().message);
      std::exit(1);
    }
    (void)dialogue.step(dialogue::Answered{.answer = decoded->answer});
  }
  return requests;
}

}  // namespace

int main(int argc, char** argv) {
  const std::size_t dialogues = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 3000;
  const std::string skill = argc > 2 ? argv[2] : "0.8";
  const sim::Profile profile = must(sim::parse_profile(
      "bench",
      fmt::format("version: 1\nseed: 1\nproviders:\n  p:\n    listen: 127.0.0.1:0\n    models:\n"
                  "      bench: {{skill: {}}}\n",
                  skill)));
  const suite::Suite suite = must(suite::Suite::pilot());
  const dialogue::Rules rules(suite);
  std::vector<std::size_t> tasks;
  for (const suite::TaskType type : suite::kTaskTypes) {
    const auto drawn = suite.draw(1, type, 20);
    tasks.insert(tasks.end(), drawn.begin(), drawn.end());
  }
  std::vector<std::vector<wire::Request>> all;
  sim::SimulatedProvider recorder(profile.providers.front(), profile.seed, suite);
  for (std::size_t i = 0; i < dialogues; ++i) {
    all.push_back(record(recorder, rules, suite.tasks()[tasks[(i / 4) % tasks.size()]], i));
  }
  const double begin = cpu_seconds();
  sim::SimulatedProvider provider(profile.providers.front(), profile.seed, suite);
  const double built = cpu_seconds();
  std::size_t turns = 0;
  std::size_t bytes = 0;
  for (std::size_t turn = 0, asked = 1; asked > 0; ++turn) {
    asked = 0;
    for (const std::vector<wire::Request>& requests : all) {
      if (turn < requests.size()) {
        ++asked;
        bytes += requests[turn].body.size() + ask(provider, requests[turn]).response.body.size();
      }
    }
    turns += asked;
  }
  const double seconds = cpu_seconds() - built;
  fmt::print("start              {:.2f} s\n", built - begin);
  fmt::print("dialogues          {}\n", dialogues);
  fmt::print("turns              {}  ({:.1f} KB each, both ways)\n",
             turns,
             static_cast<double>(bytes) / static_cast<double>(turns) / 1000);
  fmt::print("turns/s            {:.0f}\n", static_cast<double>(turns) / seconds);
  return 0;
}
