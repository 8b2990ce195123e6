#include "sortie/engine/history.h"

#include "sortie/base/error.h"
#include "sortie/engine/cells.h"
#include "sortie/engine/records.h"
#include "sortie/engine/trial_keys.h"
#include "sortie/suite/trial.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include <fmt/format.h>

namespace sortie::engine {

namespace {

using ledger::Cell;

/// What people call the cell: every factor, but not the identity.
std::string label_of(const ledger::CellRecord& cell) {
  return fmt::format("{} {} {} {} {} rate {} max_turns {}",
                     cell.model,
                     cell.prompt,
                     cell.severity,
                     cell.difficulty,
                     cell.protocol,
                     cell.tool_success_rate,
                     cell.max_turns);
}

class HistoryReader {
 public:
  HistoryReader(const RunContext& context, ledger::Reader& reader, bool retry_losses)
      : context_(context), keys_(context), reader_(reader), retry_losses_(retry_losses) {}

  base::Result<RunHistory> read() {
    history_.cells.resize(context_.campaign->cells.size());
    for (std::size_t i = 0; i < context_.campaign->cells.size(); ++i) {
      cell_by_id_.emplace(context_.campaign->cells[i].id, i);
    }
    TRY(reader_.begin());
    base::Status status = read_all();
    reader_.end();
    if (!status.has_value()) {
      return std::unexpected(std::move(status).error());
    }
    return std::move(history_);
  }

 private:
  base::Status read_all() {
    TRY(check_cells());
    TRY(read_trials());
    TRY(read_successes());
    TRY(read_reused());
    TRY(read_spent());
    return read_attempts();
  }

  /// A recorded cell that a person would call by the same name as a planned one must be the same
  /// cell.
  base::Status check_cells() {
    std::unordered_map<std::string, base::Digest> planned;
    for (const spec::Cell& cell : context_.campaign->cells) {
      planned.emplace(label_of(to_record(*context_.topology, cell)), cell.id);
    }
    std::string changed;
    TRY(
        reader_.scan("SELECT id, model, prompt, severity, difficulty, protocol, tool_success_rate, "
                     "max_turns FROM cell "
                     "WHERE id IN (SELECT cell FROM trial)",
                     [&](std::span<const Cell> row) {
                       ledger::CellRecord cell;
                       cell.model = text_of(row[1]);
                       cell.prompt = text_of(row[2]);
                       cell.severity = text_of(row[3]);
                       cell.difficulty = text_of(row[4]);
                       cell.protocol = text_of(row[5]);
                       cell.tool_success_rate = double_of(row[6]);
                       cell.max_turns = int_of(row[7]);
                       const auto found = planned.find(label_of(cell));
                       if (found != planned.end() && found->second.hex() != text_of(row[0])) {
                         changed = found->first;
                       }
                       return changed.empty();
                     }));
    return changed.empty() ? base::Status() : changed_meaning(fmt::format("cell '{}'", changed));
  }

  static base::Status changed_meaning(const std::string& what) {
    return base::failure(base::Remedy::bad_input,
                         base::ErrorCode::refused,
                         fmt::format("{} already has recorded trials with another identity: the "
                                     "model's sampling, revision or simulated "
                                     "mark, the seed, the suite or Sortie's prompts have changed "
                                     "since. Put them back, or start a new run "
                                     "directory with --new",
                                     what));
  }

  base::Status read_trials() {
    std::string conflict;
    TRY(reader_.for_each_trial([&](const ledger::TrialState& state) {
      if (conflict.empty() && !take(state)) {
        conflict = fmt::format("trial {} ({}, repeat {})", state.id, state.task, state.repeat);
      }
    }));
    return conflict.empty() ? base::Status() : changed_meaning(conflict);
  }

  /// False if the trial's key is not what today's files give.
  bool take(const ledger::TrialState& state) {
    const auto cell = cell_by_id_.find(state.cell);
    const suite::Task* task = context_.suite->find(state.task);
    if (cell == cell_by_id_.end() || task == nullptr) {
      ++history_.other_trials;
      return cell == cell_by_id_.end();
    }
    const auto position = static_cast<std::size_t>(task - context_.suite->tasks().data());
    const auto ordinal =
        context_.campaign->ordinal_of(cell->second, position, static_cast<int>(state.repeat));
    if (!ordinal.has_value()) {
      ++history_.other_trials;
      return true;
    }
    if (keys_.of(context_.campaign->trial(cell->second, *ordinal)) != state.key) {
      return false;
    }
    CellHistory& history = history_.cells[cell->second];
    if (history.begun.size() <= *ordinal) {
      history.begun.resize(*ordinal + 1);
    }
    history.begun[*ordinal] = true;
    if (state.outcome == "scored") {
      ++history.scored;
    } else if (!state.outcome.empty() && !retry_losses_) {
      ++history.lost;
    } else {
      open_by_id_.emplace(state.id, history_.open.size());
      history_.open.push_back(
          {.id = state.id, .cell = cell->second, .ordinal = *ordinal, .attempts_of_open_turn = 0});
    }
    return true;
  }

  base::Status read_successes() {
    return reader_.scan(
        "SELECT trial.cell, count(DISTINCT trial.id) FROM trial JOIN score ON score.trial = "
        "trial.id "
        "WHERE score.success = 1 GROUP BY trial.cell",
        [&](std::span<const Cell> row) {
          const auto id = base::Digest::from_hex(text_of(row[0]));
          const auto cell = id.has_value() ? cell_by_id_.find(*id) : cell_by_id_.end();
          if (cell != cell_by_id_.end()) {
            history_.cells[cell->second].succeeded = static_cast<std::uint64_t>(int_of(row[1]));
          }
          return true;
        });
  }

  base::Status read_reused() {
    return reader_.scan(
        "SELECT t.cell, count(*) FROM reuse AS r JOIN trial AS t ON t.id = r.trial GROUP BY t.cell",
        [&](std::span<const Cell> row) {
          const auto id = base::Digest::from_hex(text_of(row[0]));
          const auto cell = id.has_value() ? cell_by_id_.find(*id) : cell_by_id_.end();
          if (cell != cell_by_id_.end()) {
            history_.cells[cell->second].reused = static_cast<std::uint64_t>(int_of(row[1]));
          }
          return true;
        });
  }

  /// An attempt without a known bill may cost all that was reserved for it.
  base::Status read_spent() {
    return reader_.scan(
        "SELECT sum(cost), sum(CASE WHEN billing_known THEN input_tokens + output_tokens ELSE "
        "reserved_input + reserved_output END) FROM attempt_full",
        [&](std::span<const Cell> row) {
          history_.spent = {.cost = int_of(row[0]), .tokens = int_of(row[1])};
          return false;
        });
  }

  /// Attempt numbers go on where they stopped, so that no two attempts of a turn share one.
  base::Status read_attempts() {
    if (history_.open.empty()) {
      return {};
    }
    return reader_.scan(
        "SELECT a.trial, max(a.number) + 1 FROM trial AS r CROSS JOIN attempt AS a ON a.trial = "
        "r.id AND a.turn = (SELECT count(*) FROM turn AS t WHERE t.trial = r.id) WHERE NOT EXISTS "
        "(SELECT 1 FROM outcome AS o WHERE o.trial = r.id AND o.outcome = 'scored') GROUP BY "
        "a.trial",
        [&](std::span<const Cell> row) {
          const auto open = open_by_id_.find(int_of(row[0]));
          if (open != open_by_id_.end()) {
            history_.open[open->second].attempts_of_open_turn = int_of(row[1]);
          }
          return true;
        });
  }

  const RunContext& context_;
  TrialKeys keys_;
  ledger::Reader& reader_;
  bool retry_losses_;
  RunHistory history_;
  std::unordered_map<base::Digest, std::size_t> cell_by_id_;
  std::unordered_map<ledger::TrialId, std::size_t> open_by_id_;
};

}  // namespace

base::Result<RunHistory> read_history(const RunContext& context,
                                      ledger::Reader& reader,
                                      bool retry_losses) {
  return HistoryReader(context, reader, retry_losses).read();
}

}  // namespace sortie::engine
