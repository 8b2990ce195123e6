#include "sortie/app/replay.h"

#include "sortie/analysis/cells.h"
#include "sortie/engine/replay.h"
#include "sortie/spec/load.h"
#include "sortie/spec/model.h"

#include <charconv>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include <fmt/format.h>

namespace sortie::app {

base::Result<Replayer> Replayer::open(ledger::Reader& reader,
                                      const suite::Suite& suite,
                                      const dialogue::Rules& rules,
                                      ReplayFor purpose) {
  Replayer replayer(reader, suite, rules, purpose);
  TRY(replayer.check_versions());
  TRY(replayer.read_models());
  TRY(replayer.read_cells());
  return replayer;
}

/// Under other rules the same answers are another dialogue.
base::Status Replayer::check_versions() const {
  const std::vector<std::pair<std::string_view, std::string>> ours = {
      {"dialogue_version", rules_->version().hex()},
      {"world_version", suite_->catalog().version().hex()},
  };
  for (const auto& [name, version] : ours) {
    TRY_ASSIGN(const auto recorded, reader_->manifest(name));
    if (recorded.has_value() && *recorded != version) {
      TRY_ASSIGN(const auto sortie, reader_->manifest("sortie"));
      return base::failure(base::Remedy::bad_input,
                           base::ErrorCode::integrity,
                           fmt::format("the run was made under other rules ({} {}, here {}): play "
                                       "it back with the Sortie that made it, version {}",
                                       name,
                                       *recorded,
                                       version,
                                       sortie.value_or("unknown")));
    }
  }
  return {};
}

/// What of a model's row decides how its answers are read.
base::Status Replayer::read_models() {
  TRY_ASSIGN(const auto text, reader_->manifest("endpoints_text"));
  if (!text.has_value()) {
    return {};
  }
  TRY_ASSIGN(const spec::Topology topology, spec::parse_endpoints(*text, "the run's endpoints"));
  for (const spec::Model& model : topology.models) {
    if (model.commands_from_reasoning) {
      from_reasoning_.insert(model.name);
    }
  }
  return {};
}

base::Status Replayer::read_cells() {
  TRY_ASSIGN(const auto seed_text, reader_->manifest("seed"));
  std::uint64_t seed = 0;
  if (seed_text.has_value()) {
    std::from_chars(seed_text->data(), seed_text->data() + seed_text->size(), seed);
  }
  return reader_->scan(
      "SELECT id, model, prompt, severity, difficulty, protocol, tool_success_rate, max_turns, "
      "simulated FROM cell",
      [&](std::span<const ledger::Cell> row) {
        CellParams cell;
        cell.model = analysis::text_of(row[1]);
        cell.params.prompt =
            suite::prompt_from(analysis::text_of(row[2])).value_or(suite::Prompt{});
        cell.params.severity =
            suite::severity_from(analysis::text_of(row[3])).value_or(suite::Severity::severe);
        cell.params.difficulty =
            suite::difficulty_from(analysis::text_of(row[4])).value_or(suite::Difficulty::easy);
        cell.params.protocol =
            suite::protocol_from(analysis::text_of(row[5])).value_or(suite::Protocol::text);
        cell.params.tool_success_rate = analysis::double_of(row[6]);
        cell.params.max_turns = static_cast<int>(analysis::int_of(row[7]));
        cell.params.seed = seed;
        cell.simulated = analysis::int_of(row[8]) != 0;
        if (const auto id = base::Digest::from_hex(analysis::text_of(row[0]))) {
          cells_.emplace(*id, std::move(cell));
        }
        return true;
      });
}

base::Result<ReplayedTrial> Replayer::replay(const ledger::TrialState& state) {
  const auto cell = cells_.find(state.cell);
  const suite::Task* task = suite_->find(state.task);
  if (cell == cells_.end() || task == nullptr) {
    return base::failure(
        base::Remedy::bad_input,
        base::ErrorCode::integrity,
        fmt::format("trial {}: its cell or its task '{}' is unknown", state.id, state.task));
  }
  suite::TrialParams params = cell->second.params;
  params.repeat = static_cast<int>(state.repeat);
  TRY_ASSIGN(auto turns, reader_->turns(state.id));
  const dialogue::DialogueOptions options{
      .commands_from_reasoning = from_reasoning_.contains(cell->second.model),
      .prompts = purpose_ == ReplayFor::reading};
  ReplayedTrial replayed{.state = state,
                         .model = cell->second.model,
                         .simulated = cell->second.simulated,
                         .task = task,
                         .params = params,
                         .turns = std::move(turns),
                         .dialogue = dialogue::Dialogue(*rules_, *task, params, options)};
  for (const ledger::StoredTurn& turn : replayed.turns) {
    if (!std::holds_alternative<dialogue::AskModel>(replayed.dialogue.need())) {
      return base::failure(
          base::Remedy::bad_input,
          base::ErrorCode::integrity,
          fmt::format(
              "trial {}: turn {} was recorded after the dialogue's end: it was run by another "
              "version of the dialogue rules",
              state.id,
              turn.record.turn));
    }
    TRY_ASSIGN(dialogue::Event event, engine::event_of(turn));
    replayed.dialogue.step(std::move(event));
  }
  return replayed;
}

}  // namespace sortie::app
