#include "sortie/score/agents.h"

#include "sortie/base/check.h"
#include "sortie/base/json.h"
#include "sortie/base/text.h"
#include "sortie/chat/message.h"
#include "sortie/dialogue/dialogue.h"
#include "sortie/suite/execution.h"
#include "sortie/suite/lexicon.h"
#include "sortie/suite/shown_plans.h"
#include "sortie/suite/suite.h"
#include "sortie/suite/text_reader.h"

#include <algorithm>
#include <cstddef>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace sortie::score {

namespace {

using dialogue::CommandKind;

/// One command of a script.
struct Move {
  CommandKind kind = CommandKind::finish;
  std::string text;                   // query, tool's name, result
  const suite::Step* step = nullptr;  // of a call
  std::string must_find;  // find_tool: the agent gives up where the answer does not name it
};

/// Plays a script; keeps the handles that came back.
class Player {
 public:
  Player(const Stage& stage, const suite::Task& task, const suite::TrialParams& params)
      : dialogue_(*stage.rules, task, params, {.prompts = false}),
        native_(params.protocol == suite::Protocol::native) {}

  [[nodiscard]] bool asks() const {
    return std::holds_alternative<dialogue::AskModel>(dialogue_.need());
  }

  /// The step's artifact, "" where it was rejected or the dialogue ended.
  void call(const suite::Step& step) {
    const json::Object arguments = suite::bound_arguments(step, artifacts_);
    do {
      say_call(step.tool, arguments);
    } while (asks() && dialogue_.transcript().turns.back().injected);
    artifacts_.push_back(artifact_of_last_reply());
  }

  /// False where the reply does not name the tool.
  bool find(const std::string& query, const std::string& tool) {
    say(CommandKind::find_tool, "query", query);
    return dialogue_.history().back().text.find("- " + tool + ":") != std::string::npos;
  }

  void show(const std::string& tool) { say(CommandKind::show_tool, "name", tool); }

  void finish() { say(CommandKind::finish, "result", "done"); }

  [[nodiscard]] dialogue::Transcript end() {
    if (asks()) {
      finish();
    }
    return dialogue_.transcript();
  }

 private:
  void step(std::string text, const std::string& name, std::string arguments) {
    chat::Answer answer;
    if (native_) {
      answer.tool_calls.push_back({.id = {}, .name = name, .arguments = std::move(arguments)});
      answer.finish = chat::FinishReason::tool_calls;
    } else {
      answer.text = std::move(text);
    }
    dialogue_.step(dialogue::Answered{std::move(answer)});
  }

  void say(CommandKind kind, std::string_view member, const std::string& value) {
    const std::string name(dialogue::to_string(kind));
    step("<" + name + ">" + value + "</" + name + ">",
         name,
         json::to_text(json::Object{{member, value}}));
  }

  void say_call(const std::string& tool, const json::Object& arguments) {
    json::Object call;
    call["name"] = tool;
    call["arguments"] = arguments;
    step("<use_tool>" + json::to_text(call) + "</use_tool>", tool, json::to_text(arguments));
  }

  /// Only the reply of a success names an artifact.
  [[nodiscard]] std::string artifact_of_last_reply() const {
    const std::vector<dialogue::Command>& commands = dialogue_.transcript().turns.back().commands;
    constexpr std::string_view kMember = R"({"artifact":")";
    const std::string& reply = dialogue_.history().back().text;
    const std::size_t at = reply.find(kMember);
    if (commands.empty() || !commands.back().succeeded || at == std::string::npos) {
      return {};
    }
    const std::size_t from = at + kMember.size();
    return reply.substr(from, reply.find('"', from) - from);
  }

  dialogue::Dialogue dialogue_;
  bool native_;
  std::vector<std::string> artifacts_;  // by step of the plan
};

std::vector<std::string> distinct_tools(const std::vector<suite::Step>& plan) {
  std::vector<std::string> tools;
  for (const suite::Step& step : plan) {
    if (std::ranges::find(tools, step.tool) == tools.end()) {
      tools.push_back(step.tool);
    }
  }
  return tools;
}

/// Searches for and, if wanted, looks at every tool of a plan. False: a search did not find one.
bool look_around(Player& player,
                 const dialogue::Rules& rules,
                 const std::vector<suite::Step>& plan,
                 bool descriptions) {
  for (const std::string& tool : distinct_tools(plan)) {
    if (!player.asks()) {
      return false;
    }
    if (!player.find(query_for(rules.catalog(), tool), tool)) {
      return false;
    }
    if (descriptions && player.asks()) {
      player.show(tool);
    }
  }
  return true;
}

void carry_out(Player& player, const std::vector<suite::Step>& plan) {
  for (const suite::Step& step : plan) {
    if (!player.asks()) {
      return;
    }
    player.call(step);
  }
}

/// The common plan of the task's type, with this task's arguments for each tool that it needs too.
std::vector<suite::Step> blind_plan(const std::vector<suite::Step>& common,
                                    const suite::Task& task) {
  std::vector<suite::Step> plan = common;
  std::set<const suite::Step*> used;
  for (suite::Step& step : plan) {
    const auto own = std::ranges::find_if(task.plan, [&](const suite::Step& candidate) {
      return candidate.tool == step.tool && !used.contains(&candidate);
    });
    if (own == task.plan.end()) {
      continue;
    }
    used.insert(&*own);
    for (auto& [name, value] : step.arguments) {
      const json::Value* given = own->arguments.if_contains(name);
      if (given != nullptr && suite::step_reference(value) < 0) {
        value = *given;
      }
    }
  }
  return plan;
}

/// Empty where none is shown.
std::vector<suite::Step> plan_in_view(const suite::ShownPlans& plans,
                                      const suite::Task& task,
                                      const suite::TrialParams& params) {
  if (params.prompt.style == suite::PromptStyle::flawed) {
    const auto flawed = plans.flawed(task, params.prompt.flaw, params.severity);
    return flawed != nullptr ? flawed->steps : std::vector<suite::Step>();
  }
  return suite::shown_plan(plans.catalog(), task, params.prompt, params.severity)
      .value_or(std::vector<suite::Step>());
}

/// The calls that an agent believes in; empty: it finishes at once.
std::vector<suite::Step> calls_of(Agent agent,
                                  const Stage& stage,
                                  const suite::Task& task,
                                  const suite::TrialParams& params) {
  const suite::ToolCatalog& catalog = stage.rules->catalog();
  switch (agent) {
    case Agent::plan_copier:
      return plan_in_view(stage.rules->plans(), task, params);
    case Agent::text_blind: {
      CHECK(stage.common != nullptr);
      const std::vector<suite::Step>* common = stage.common->of(task.type);
      return common == nullptr ? std::vector<suite::Step>() : blind_plan(*common, task);
    }
    case Agent::reader:
      return suite::read_text(catalog, task.text(params.difficulty), params.difficulty)
          .value_or(std::vector<suite::Step>());
    case Agent::perfect:
    case Agent::direct:
    case Agent::search:
    case Agent::lookup:
      break;
  }
  return task.plan;
}

}  // namespace

std::string_view to_string(Agent agent) {
  switch (agent) {
    case Agent::perfect:
      return "perfect";
    case Agent::plan_copier:
      return "plan_copier";
    case Agent::text_blind:
      return "text_blind";
    case Agent::reader:
      return "reader";
    case Agent::direct:
      return "direct";
    case Agent::search:
      return "search";
    case Agent::lookup:
      return "lookup";
  }
  CHECK(false);
}

CommonPlans::CommonPlans(const suite::Suite& suite) {
  struct Count {
    std::size_t tasks = 0;
    const suite::Task* first = nullptr;
  };

  std::map<suite::TaskType, std::map<std::string, Count>> counts;
  for (const suite::Task& task : suite.tasks()) {
    Count& count = counts[task.type][suite::operation_sequence(task)];
    ++count.tasks;
    count.first = count.first == nullptr ? &task : count.first;
  }
  for (const auto& [type, sequences] : counts) {
    const auto most = std::ranges::max_element(
        sequences, {}, [](const auto& entry) { return entry.second.tasks; });
    plans_.emplace(type, most->second.first->plan);
  }
}

const std::vector<suite::Step>* CommonPlans::of(suite::TaskType type) const {
  const auto found = plans_.find(type);
  return found == plans_.end() ? nullptr : &found->second;
}

dialogue::Transcript play(Agent agent,
                          const Stage& stage,
                          const suite::Task& task,
                          const suite::TrialParams& params) {
  Player player(stage, task, params);
  const std::vector<suite::Step> calls = calls_of(agent, stage, task, params);
  const bool looks = agent == Agent::reader || agent == Agent::lookup;
  const bool searches = looks || agent == Agent::search;
  if (!searches || look_around(player, *stage.rules, calls, looks)) {
    carry_out(player, calls);
  }
  return player.end();
}

std::optional<std::string> easy_words(std::string_view tool, std::size_t wording) {
  const auto entry =
      std::ranges::find(suite::easy_wordings(), tool, &suite::OperationWordings::tool);
  if (entry == suite::easy_wordings().end() || wording >= entry->wordings.size()) {
    return std::nullopt;
  }
  std::string_view rest = entry->wordings.at(wording);
  std::string out;
  while (!rest.empty()) {
    const std::size_t open = std::min(rest.find('{'), rest.size());
    out += rest.substr(0, open);
    rest.remove_prefix(open);
    const std::size_t close = rest.find('}');
    rest.remove_prefix(close == std::string_view::npos ? rest.size() : close + 1);
  }
  return std::string(base::trim(out));
}

std::string query_for(const suite::ToolCatalog& catalog, const std::string& tool) {
  if (auto words = catalog.declared() ? std::nullopt : easy_words(tool, 0)) {
    return std::move(*words);
  }
  const suite::ToolSpec* spec = catalog.find(tool);
  CHECK(spec != nullptr);
  return spec->description;
}

}  // namespace sortie::score
