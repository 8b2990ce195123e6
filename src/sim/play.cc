#include "sortie/sim/play.h"

#include "sortie/base/check.h"
#include "sortie/base/hash.h"
#include "sortie/base/json.h"
#include "sortie/base/time.h"
#include "sortie/chat/message.h"
#include "sortie/dialogue/dialogue.h"
#include "sortie/dialogue/rules.h"
#include "sortie/sim/profile.h"
#include "sortie/sim/provider_sim.h"
#include "sortie/suite/task.h"
#include "sortie/suite/trial.h"
#include "sortie/wire/message.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <fmt/format.h>

namespace sortie::sim {

namespace {

json::Object message_json(const chat::Message& message) {
  json::Object out;
  out["role"] = chat::to_string(message.role);
  out["content"] = message.text;
  if (!message.tool_calls.empty()) {
    json::Array calls;
    for (const chat::ToolCall& call : message.tool_calls) {
      calls.push_back(
          json::Object{{"id", call.id},
                       {"type", "function"},
                       {"function", {{"name", call.name}, {"arguments", call.arguments}}}});
    }
    out["tool_calls"] = std::move(calls);
  }
  if (message.role == chat::Role::tool) {
    out["tool_call_id"] = message.tool_call_id;
  }
  return out;
}

chat::FinishReason finish_of(std::string_view text) {
  if (text == "length") {
    return chat::FinishReason::length;
  }
  if (text == "tool_calls") {
    return chat::FinishReason::tool_calls;
  }
  return text == "content_filter" ? chat::FinishReason::content_filter : chat::FinishReason::stop;
}

}  // namespace

std::string chat_body(std::string_view model,
                      const std::vector<chat::Message>& messages,
                      bool functions) {
  json::Object body;
  body["model"] = model;
  body["max_tokens"] = 4096;
  json::Array list;
  for (const chat::Message& message : messages) {
    list.push_back(message_json(message));
  }
  body["messages"] = std::move(list);
  if (functions) {
    body["tools"] =
        json::Array{json::Object{{"type", "function"}, {"function", {{"name", "any"}}}}};
  }
  return json::to_text(body);
}

std::string small_talk(std::string_view model) {
  return chat_body(
      model,
      {{.role = chat::Role::user, .text = "Say something.", .tool_calls = {}, .tool_call_id = {}}});
}

Reply ask(SimulatedProvider& provider, const Asked& asked, base::Instant now) {
  wire::Headers headers;
  headers.add("Content-Type", "application/json");
  if (!asked.key.empty()) {
    headers.add("Authorization", "Bearer " + asked.key);
  }
  if (!asked.attempt.empty()) {
    headers.add(std::string(kAttemptHeader), asked.attempt);
  }
  return provider.handle({.method = wire::Method::post,
                          .target = "/v1/chat/completions",
                          .headers = headers,
                          .body = asked.body},
                         now);
}

chat::Answer decode(const wire::Response& response) {
  CHECK(response.status == 200);
  const auto body = json::parse(response.body);
  CHECK(body.has_value());
  const json::Value& choice = json::get_array(*body, "choices")->front();
  const json::Value& message = *json::find(choice, "message");
  chat::Answer answer;
  answer.text = json::get_string(message, "content").value_or("");
  answer.reasoning = json::get_string(message, "reasoning_content").value_or("");
  answer.refusal = json::get_string(message, "refusal").value_or("");
  answer.finish_text = json::get_string(choice, "finish_reason").value_or("");
  answer.finish = finish_of(answer.finish_text);
  answer.served_model = json::get_string(*body, "model").value_or("");
  answer.usage.input = json::get_int(*json::find(*body, "usage"), "prompt_tokens").value_or(0);
  answer.usage.output = json::get_int(*json::find(*body, "usage"), "completion_tokens").value_or(0);
  if (const json::Array* calls = json::get_array(message, "tool_calls")) {
    for (const json::Value& call : *calls) {
      const json::Value& function = *json::find(call, "function");
      answer.tool_calls.push_back(
          {.id = std::string(json::get_string(call, "id").value_or("")),
           .name = std::string(json::get_string(function, "name").value_or("")),
           .arguments = std::string(json::get_string(function, "arguments").value_or(""))});
    }
  }
  return answer;
}

Played play(SimulatedProvider& provider,
            const dialogue::Rules& rules,
            const suite::Task& task,
            const Trial& trial,
            dialogue::DialogueOptions options) {
  dialogue::Dialogue dialogue(rules, task, trial.params, options);
  Played played;
  const bool functions = !dialogue.functions().empty();
  while (std::holds_alternative<dialogue::AskModel>(dialogue.need())) {
    const Reply reply =
        ask(provider,
            {.body = chat_body(trial.model, dialogue.history(), functions),
             .key = {},
             .attempt = fmt::format("{}/{}/0", trial.key.hex(), dialogue.turns_done())},
            base::Instant{});
    provider.finished(reply.id, base::Instant{}, false);
    played.answers.push_back(decode(reply.response));
    (void)dialogue.step(dialogue::Answered{.answer = played.answers.back()});
  }
  played.transcript = dialogue.transcript();
  return played;
}

ProviderProfile one_model(std::string_view name, const Skill& skill) {
  ProviderProfile profile;
  profile.name = "test";
  ModelProfile model;
  model.name = name;
  model.skill = skill;
  profile.models.push_back(std::move(model));
  return profile;
}

}  // namespace sortie::sim
