#include "sortie/engine/control.h"

#include "sortie/app/command.h"
#include "sortie/app/live_run.h"
#include "sortie/base/text.h"
#include "sortie/base/time.h"
#include "sortie/monitor/control_json.h"
#include "sortie/quota/limit.h"
#include "sortie/spec/budget.h"

#include <array>
#include <charconv>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace sortie::app {

namespace {

using engine::ControlAction;
using engine::ControlCommand;
using quota::LimitKind;

struct ControlOptions {
  std::string run;
  std::string action;
  std::vector<std::string> words;
  std::string reason;
  bool dry_run = false;
  bool json = false;
};

base::Result<LimitKind> kind_named(std::string_view name) {
  std::vector<std::string> known;
  for (const LimitKind kind : {LimitKind::requests, LimitKind::tokens, LimitKind::concurrency}) {
    known.emplace_back(quota::to_string(kind));
    if (known.back() == name) {
      return kind;
    }
  }
  return base::bad_input(fmt::format("no limit '{}'{}", name, base::suggestion(name, known)));
}

std::optional<base::Duration> window_named(std::string_view name) {
  struct Window {
    std::string_view name;
    double seconds;
  };

  constexpr std::array kWindows = {Window{"s", 1},
                                   Window{"second", 1},
                                   Window{"m", 60},
                                   Window{"min", 60},
                                   Window{"minute", 60},
                                   Window{"h", 3600},
                                   Window{"hour", 3600},
                                   Window{"d", 86'400},
                                   Window{"day", 86'400}};
  for (const Window& window : kWindows) {
    if (window.name == name) {
      return base::from_seconds(window.seconds);
    }
  }
  return std::nullopt;
}

/// "requests=600/min", "tokens=400k/min", "concurrency=20".
base::Result<quota::Limit> limit_of(std::string_view text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos) {
    return base::bad_input(fmt::format(
        "expected a limit such as requests=600/min, tokens=400k/min or concurrency=20, found '{}'",
        text));
  }
  quota::Limit limit;
  TRY_ASSIGN(limit.kind, kind_named(text.substr(0, equals)));
  std::string_view amount = text.substr(equals + 1);
  const std::size_t slash = amount.find('/');
  const bool is_rate = limit.kind != LimitKind::concurrency;
  if (is_rate) {
    const auto window =
        slash == std::string_view::npos ? std::nullopt : window_named(amount.substr(slash + 1));
    if (!window.has_value()) {
      return base::bad_input(
          fmt::format("{}: expected a number per s, min, h or day such as 600/min, found '{}'",
                      quota::to_string(limit.kind),
                      amount));
    }
    limit.window = *window;
    amount = amount.substr(0, slash);
  }
  const auto number = spec::parse_tokens(amount);
  if (!number.has_value()) {
    return base::bad_input(
        fmt::format("{}: expected a number above zero such as 600 or 400k, "
                    "found '{}'",
                    quota::to_string(limit.kind),
                    amount));
  }
  limit.quota = static_cast<double>(*number);
  return limit;
}

base::Status read_share(std::string_view text, ControlCommand& command) {
  const std::size_t equals = text.rfind('=');
  double weight = 0;
  bool good = false;
  if (equals != std::string_view::npos) {
    const std::string_view number = text.substr(equals + 1);
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), weight);
    good = error == std::errc() && end == number.data() + number.size() && !number.empty();
  }
  if (!good) {
    return base::bad_input(
        fmt::format("share: expected MODEL=WEIGHT such as acme-72b=2, found '{}'", text));
  }
  command.target = text.substr(0, equals);
  command.weight = weight;
  return {};
}

base::Status need_words(const ControlOptions& options,
                        std::size_t least,
                        std::size_t most,
                        std::string_view what) {
  if (options.words.size() < least || options.words.size() > most) {
    return base::bad_input(fmt::format("{}: expected {}", options.action, what));
  }
  return {};
}

/// A command line as commands: pause and resume take several models.
base::Result<std::vector<ControlCommand>> commands_of(const ControlOptions& options) {
  const auto action = engine::control_action_from(options.action);
  if (!action.has_value()) {
    return base::bad_input(
        fmt::format("no control action '{}'{}",
                    options.action,
                    base::suggestion(options.action, engine::control_actions())));
  }
  ControlCommand command;
  command.action = *action;
  command.reason = options.reason;
  command.dry_run = options.dry_run;
  std::vector<ControlCommand> commands;
  constexpr std::size_t kAny = 1000;
  switch (*action) {
    case ControlAction::pause:
    case ControlAction::resume:
      for (const std::string& model : options.words) {
        command.target = model;
        commands.push_back(command);
      }
      if (options.words.empty()) {
        commands.push_back(command);
      }
      return commands;
    case ControlAction::drain:
      TRY(need_words(options, 0, 0, "nothing more"));
      break;
    case ControlAction::limit:
      TRY(need_words(options, 2, kAny, "DOMAIN and limits such as requests=600/min"));
      for (std::size_t i = 1; i < options.words.size(); ++i) {
        TRY_ASSIGN(const quota::Limit limit, limit_of(options.words[i]));
        command.limits.push_back(limit);
      }
      command.target = options.words[0];
      break;
    case ControlAction::unlimit:
      TRY(need_words(options, 1, kAny, "DOMAIN and perhaps requests, tokens, concurrency"));
      for (std::size_t i = 1; i < options.words.size(); ++i) {
        TRY_ASSIGN(const LimitKind kind, kind_named(options.words[i]));
        command.kinds.push_back(kind);
      }
      command.target = options.words[0];
      break;
    case ControlAction::disable:
    case ControlAction::enable:
      TRY(need_words(options, 1, 1, "one KEY such as alpha/key-1"));
      command.target = options.words[0];
      break;
    case ControlAction::share:
      TRY(need_words(options, 1, 1, "MODEL=WEIGHT such as acme-72b=2"));
      TRY(read_share(options.words[0], command));
      break;
  }
  commands.push_back(std::move(command));
  return commands;
}

base::Result<json::Value> ask(const std::string& directory, const ControlCommand& command) {
  TRY_ASSIGN(
      const wire::Response response,
      ask_run(
          directory, wire::Method::post, "/v1/control", json::to_text(monitor::to_json(command))));
  if (response.status != 200) {
    return std::unexpected(error_of(response));
  }
  return json::parse(response.body);
}

int control(const ControlOptions& options) {
  const auto commands = commands_of(options);
  if (!commands.has_value()) {
    return fail(commands.error(), options.json);
  }
  const auto directory = run_directory(options.run);
  if (!directory.has_value()) {
    base::Error error = directory.error();
    error.code = base::ErrorCode::refused;  // no run there
    return fail(error, options.json);
  }
  json::Array all;
  for (const ControlCommand& command : *commands) {
    const auto answer = ask(*directory, command);
    if (!answer.has_value()) {
      return fail(answer.error(), options.json);
    }
    if (const json::Array* changes = json::get_array(*answer, "changes")) {
      all.insert(all.end(), changes->begin(), changes->end());
    }
  }
  if (options.json) {
    print_json(json::Object{{"changes", std::move(all)}, {"dry_run", options.dry_run}});
    return kDone;
  }
  std::string text;
  for (const json::Value& change : all) {
    text += fmt::format(
        "{}{}\n", options.dry_run ? "would change: " : "", json::view(change.as_string()));
  }
  print_text(text.empty() ? "nothing to change: it is so already\n" : text);
  return kDone;
}

}  // namespace

void add_control(CLI::App& root, Action& action) {
  const auto options = std::make_shared<ControlOptions>();  // owned by the callbacks below
  CLI::App* command =
      root.add_subcommand("control", "Change a running run: pause, limits, keys, shares");
  command->add_option("RUN", options->run, "Run directory, or its name under runs/")->required();
  command->add_option("ACTION", options->action, "What to do, see below")->required();
  command->add_option("WORDS", options->words, "What it is done to");
  command->add_option("--reason", options->reason, "Why: recorded with the change");
  command->add_flag("--dry-run", options->dry_run, "Say what would change and change nothing");
  command->add_flag("--json", options->json, "Print one JSON document");
  command->footer(
      "Actions:\n"
      "  pause [MODEL…]                   send nothing new; what is in flight ends and is saved\n"
      "  resume [MODEL…]                  go on\n"
      "  drain                            begin no dialogue any more, finish the open ones, end\n"
      "  limit DOMAIN requests=600/min tokens=400k/min concurrency=20\n"
      "                                   replace the domain's limits of these kinds\n"
      "  unlimit DOMAIN [requests|tokens|concurrency]\n"
      "                                   put its declared limits in force again\n"
      "  disable KEY, enable KEY          take a key such as alpha/key-1 out, and in again\n"
      "  share MODEL=WEIGHT               weight where models compete for a limit (1 at first)\n"
      "Names of domains and keys: sortie status RUN\n"
      "Example:  sortie control quickstart limit alpha/key-1 requests=600/min --reason \"as "
      "asked\"\n"
      "Exit codes: 2 bad input, 3 no run is going on there or it is not yours");
  command->callback([&action, options] { action = [options] { return control(*options); }; });
}

}  // namespace sortie::app
