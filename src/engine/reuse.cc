#include "sortie/engine/reuse.h"

#include "sortie/base/text.h"
#include "sortie/chat/message.h"
#include "sortie/dialogue/dialogue.h"
#include "sortie/engine/cells.h"
#include "sortie/engine/records.h"
#include "sortie/engine/replay.h"
#include "sortie/engine/trial_keys.h"
#include "sortie/provider/dialect.h"
#include "sortie/score/score.h"

#include <algorithm>
#include <array>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <variant>

#include <fmt/format.h>

namespace sortie::engine {

namespace {

using ledger::Cell;

base::Digest digest_of_cell(const Cell& cell) {
  return base::Digest::from_hex(text_of(cell)).value_or(base::Digest{});
}

base::WallTime time_of(const Cell& cell) {
  return base::WallTime(std::chrono::microseconds(int_of(cell)));
}

/// Trials of a source with an answer that no declaration of today accepts.
base::Result<std::unordered_set<ledger::TrialId>> served_otherwise(const spec::Topology& topology,
                                                                   ledger::Reader& reader) {
  std::vector<std::vector<std::string>> offending;
  TRY(reader.scan(
      "SELECT DISTINCT a.requested_model, t.route, a.api_name, t.served_model FROM turn "
      "AS t JOIN attempt AS a ON a.id = t.attempt",
      [&](std::span<const Cell> row) {
        std::vector<std::string> names;
        for (const Cell& cell : row) {
          names.push_back(text_of(cell));
        }
        if (!is_declared(topology, names[0], names[1], names[2], names[3])) {
          offending.push_back(std::move(names));
        }
        return true;
      }));
  std::unordered_set<ledger::TrialId> trials;
  for (const std::vector<std::string>& names : offending) {
    TRY(
        reader.scan("SELECT t.trial FROM turn AS t JOIN attempt AS a ON a.id = t.attempt WHERE "
                    "a.requested_model = ?1 AND t.route = ?2 AND a.api_name = ?3 AND "
                    "t.served_model = ?4",
                    names,
                    [&](std::span<const Cell> row) {
                      trials.insert(int_of(row[0]));
                      return true;
                    }));
  }
  return trials;
}

/// Finds, source by source, what can be taken.
class ReuseFinder {
 public:
  ReuseFinder(const RunContext& context, const RunHistory& history)
      : context_(context), keys_(context), history_(history) {
    for (std::size_t i = 0; i < context_.campaign->cells.size(); ++i) {
      cell_by_id_.emplace(context_.campaign->cells[i].id, i);
    }
    plan_.planned = context_.campaign->trial_count();
  }

  base::Status look_in(const ReuseSource& source) {
    const std::size_t first = plan_.trials.size();
    plan_.sources.push_back({.directory = source.directory()});
    TRY_ASSIGN(const auto other, served_otherwise(*context_.topology, source.reader()));
    TRY(source.reader().for_each_trial([&](const ledger::TrialState& state) {
      if (state.outcome == "scored") {
        ++plan_.sources.back().scored;
        take(source, state, other.contains(state.id));
      }
    }));
    return add_origins(source, std::span(plan_.trials).subspan(first));
  }

  [[nodiscard]] ReusePlan result() { return std::move(plan_); }

 private:
  void take(const ReuseSource& source, const ledger::TrialState& state, bool served_otherwise) {
    ReuseSummary& summary = plan_.sources.back();
    const auto cell = cell_by_id_.find(state.cell);
    const suite::Task* task = context_.suite->find(state.task);
    if (cell == cell_by_id_.end() || task == nullptr) {
      return;
    }
    const auto position = static_cast<std::size_t>(task - context_.suite->tasks().data());
    const auto ordinal =
        context_.campaign->ordinal_of(cell->second, position, static_cast<int>(state.repeat));
    if (!ordinal.has_value() ||
        keys_.of(context_.campaign->trial(cell->second, *ordinal)) != state.key) {
      return;
    }
    if (history_.cells[cell->second].is_begun(*ordinal) || taken_.contains(state.key)) {
      ++summary.had_already;
      return;
    }
    if (served_otherwise) {
      ++summary.other_served;
      return;
    }
    taken_.insert(state.key);
    ++summary.trials;
    plan_.trials.push_back({.source = plan_.sources.size() - 1,
                            .trial = state.id,
                            .cell = cell->second,
                            .ordinal = *ordinal,
                            .origin = {.run = source.key(),
                                       .directory = source.directory(),
                                       .source_trial = state.id,
                                       .source_mark = source.mark()}});
  }

  /// What each trial took and cost; what was copied there itself keeps its first origin.
  base::Status add_origins(const ReuseSource& source, std::span<ReusableTrial> trials) {
    std::unordered_map<ledger::TrialId, ReusableTrial*> by_trial;
    for (ReusableTrial& trial : trials) {
      by_trial.emplace(trial.trial, &trial);
    }
    const auto find = [&](const Cell& cell) -> ledger::ReuseRecord* {
      const auto found = by_trial.find(int_of(cell));
      return found == by_trial.end() ? nullptr : &found->second->origin;
    };
    TRY(source.reader().scan(
        "SELECT trial, count(*), sum(CASE WHEN billing_known THEN input_tokens ELSE reserved_input "
        "END), sum(CASE WHEN billing_known THEN output_tokens ELSE reserved_output END), sum(cost) "
        "FROM attempt_full GROUP BY trial",
        [&](std::span<const Cell> row) {
          if (ledger::ReuseRecord* origin = find(row[0]); origin != nullptr) {
            origin->attempts = int_of(row[1]);
            origin->input_tokens = int_of(row[2]);
            origin->output_tokens = int_of(row[3]);
            origin->cost = int_of(row[4]);
          }
          return true;
        }));
    TRY(source.reader().scan(
        "SELECT trial, source_run, directory, source_trial, source_mark, attempts, input_tokens, "
        "output_tokens, cost FROM reuse",
        [&](std::span<const Cell> row) {
          if (ledger::ReuseRecord* origin = find(row[0]); origin != nullptr) {
            *origin = {.run = digest_of_cell(row[1]),
                       .directory = text_of(row[2]),
                       .source_trial = int_of(row[3]),
                       .source_mark = text_of(row[4]),
                       .attempts = int_of(row[5]),
                       .input_tokens = int_of(row[6]),
                       .output_tokens = int_of(row[7]),
                       .cost = int_of(row[8])};
          }
          return true;
        }));
    for (const ReusableTrial& trial : trials) {
      plan_.sources.back().cost += trial.origin.cost;
    }
    return {};
  }

  const RunContext& context_;
  TrialKeys keys_;
  const RunHistory& history_;
  std::unordered_map<base::Digest, std::size_t> cell_by_id_;
  std::unordered_set<base::Digest> taken_;
  ReusePlan plan_;
};

/// The attempt behind a turn, as it is copied: what happened, and no bill.
struct AnsweredAttempt {
  ledger::AttemptRecord attempt;
  ledger::AttemptEndRecord end;
  base::Digest answer;
};

base::Result<std::vector<AnsweredAttempt>> attempts_behind_turns(ledger::Reader& reader,
                                                                 ledger::TrialId trial) {
  std::vector<AnsweredAttempt> attempts;
  const std::array parameters = {fmt::to_string(trial)};
  TRY(reader.scan(
      "SELECT a.turn, a.route, a.requested_model, a.api_name, a.at, a.request, e.at, e.cause, "
      "e.status, e.code, e.message, e.served_model, e.first_byte_us, e.duration_us, m.digest FROM "
      "turn AS t JOIN attempt AS a ON a.id = t.attempt JOIN attempt_end AS e ON e.attempt = a.id "
      "JOIN message AS m ON m.id = t.answer WHERE t.trial = CAST(?1 AS INTEGER) ORDER BY t.turn",
      parameters,
      [&](std::span<const Cell> row) {
        attempts.push_back({.attempt = {.turn = int_of(row[0]),
                                        .route = text_of(row[1]),
                                        .requested_model = text_of(row[2]),
                                        .api_name = text_of(row[3]),
                                        .at = time_of(row[4]),
                                        .request = digest_of_cell(row[5])},
                            .end = {.at = time_of(row[6]),
                                    .cause = text_of(row[7]),
                                    .status = int_of(row[8]),
                                    .code = text_of(row[9]),
                                    .message = text_of(row[10]),
                                    .served_model = text_of(row[11]),
                                    .usage = {},
                                    .first_byte_us = int_of(row[12]),
                                    .duration_us = int_of(row[13])},
                            .answer = digest_of_cell(row[14])});
        return true;
      }));
  return attempts;
}

base::Result<ledger::OutcomeRecord> scored_outcome(ledger::Reader& reader, ledger::TrialId trial) {
  ledger::OutcomeRecord outcome;
  outcome.outcome = "scored";
  const std::array parameters = {fmt::to_string(trial)};
  TRY(reader.scan(
      "SELECT at, detail, end_reason FROM outcome WHERE trial = CAST(?1 AS INTEGER) AND "
      "outcome = 'scored' ORDER BY id LIMIT 1",
      parameters,
      [&](std::span<const Cell> row) {
        outcome.at = time_of(row[0]);
        outcome.detail = text_of(row[1]);
        outcome.end = text_of(row[2]);
        return false;
      }));
  return outcome;
}

/// Copies one trial after the other, each in one transaction.
class ReuseCopier {
 public:
  ReuseCopier(const RunContext& context, base::WallTime now, ledger::Ledger& ledger)
      : context_(context), now_(now), ledger_(ledger) {}

  base::Status copy(const ReusableTrial& reusable, ledger::Reader& reader) {
    const spec::Trial planned = context_.campaign->trial(reusable.cell, reusable.ordinal);
    const suite::Task& task = context_.suite->tasks()[planned.task];
    const ledger::TrialId id = ledger_.next_trial_id();
    TRY_ASSIGN(const auto turns, reader.turns(reusable.trial));
    TRY_ASSIGN(const auto attempts, attempts_behind_turns(reader, reusable.trial));
    TRY_ASSIGN(ledger::OutcomeRecord outcome, scored_outcome(reader, reusable.trial));
    std::vector<ledger::Record> facts;
    facts.emplace_back(ledger::TrialRecord{.id = id,
                                           .key = key_of(context_, planned),
                                           .cell = context_.campaign->cells[reusable.cell].id,
                                           .task = task.id,
                                           .task_type = std::string(suite::to_string(task.type)),
                                           .repeat = planned.params.repeat});
    ledger::ReuseRecord origin = reusable.origin;
    TRY_ASSIGN(origin.answers, add_turns(id, turns, attempts, facts));
    TRY_ASSIGN(const dialogue::Dialogue dialogue, replay(planned, turns, outcome.end));
    origin.trial = id;
    origin.at = now_;
    outcome.trial = id;
    facts.emplace_back(std::move(outcome));
    facts.emplace_back(to_record(
        id, score::score(dialogue.transcript(), task, planned.params, context_.rules->plans())));
    for (ledger::CallRecord& call : calls_of(id, dialogue.transcript())) {
      facts.emplace_back(std::move(call));
    }
    facts.emplace_back(std::move(origin));
    ledger_.append_together(std::move(facts));
    return {};
  }

 private:
  /// The dialogue that the answers give must end where the source says it ended.
  [[nodiscard]] base::Result<dialogue::Dialogue> replay(
      const spec::Trial& planned,
      const std::vector<ledger::StoredTurn>& turns,
      const std::string& end) const {
    const suite::Task& task = context_.suite->tasks()[planned.task];
    const spec::Model& model =
        context_.topology->models[context_.campaign->cells[planned.cell].model];
    dialogue::Dialogue dialogue(*context_.rules,
                                task,
                                planned.params,
                                {.commands_from_reasoning = model.commands_from_reasoning});
    for (const ledger::StoredTurn& turn : turns) {
      if (!std::holds_alternative<dialogue::AskModel>(dialogue.need())) {
        return untrue("it has turns after its end");
      }
      TRY_ASSIGN(dialogue::Event event, event_of(turn));
      dialogue.step(std::move(event));
    }
    const auto need = dialogue.need();
    const auto* ended = std::get_if<dialogue::Ended>(&need);
    if (ended == nullptr || dialogue::to_string(ended->end) != end) {
      return untrue(fmt::format("its answers do not lead to the end '{}' that it recorded", end));
    }
    return dialogue;
  }

  /// Adds attempts, ends and turns; returns the digest of all answers.
  base::Result<base::Digest> add_turns(ledger::TrialId id,
                                       const std::vector<ledger::StoredTurn>& turns,
                                       const std::vector<AnsweredAttempt>& attempts,
                                       std::vector<ledger::Record>& facts) const {
    if (turns.size() != attempts.size()) {
      return untrue("a turn of it has no attempt");
    }
    std::vector<base::Digest> answers;
    ledger::AttemptId attempt_id = ledger_.next_attempt_id();
    for (std::size_t i = 0; i < turns.size(); ++i, ++attempt_id) {
      answers.push_back(base::digest_of(turns[i].record.answer));
      if (answers.back() != attempts[i].answer) {
        return untrue(fmt::format("the answer of turn {} does not match its digest", i));
      }
      ledger::AttemptRecord attempt = attempts[i].attempt;
      attempt.id = attempt_id;
      attempt.trial = id;
      ledger::AttemptEndRecord end = attempts[i].end;
      end.attempt = attempt_id;
      ledger::TurnRecord turn = turns[i].record;
      turn.attempt = attempt_id;
      turn.trial = id;
      facts.emplace_back(std::move(attempt));
      facts.emplace_back(std::move(end));
      facts.emplace_back(std::move(turn));
    }
    return ledger::answers_digest(answers);
  }

  static std::unexpected<base::Error> untrue(std::string what) {
    return base::failure(base::Remedy::bad_input, base::ErrorCode::integrity, std::move(what));
  }

  const RunContext& context_;
  base::WallTime now_;
  ledger::Ledger& ledger_;
};

}  // namespace

bool is_declared(const spec::Topology& topology,
                 const std::string& model,
                 const std::string& route,
                 const std::string& api_name,
                 const std::string& served) {
  const std::optional<std::size_t> known = topology.find_model(model);
  if (!known.has_value()) {
    return false;
  }
  const std::vector<std::size_t> routes = topology.routes_of(*known);
  const auto same = std::ranges::find_if(
      routes, [&](std::size_t index) { return topology.routes[index].name == route; });
  if (same != routes.end()) {
    return provider::accepts_served_model(api_name, topology.routes[*same].served_as, served);
  }
  return std::ranges::any_of(routes, [&](std::size_t index) {
    const spec::Route& other = topology.routes[index];
    return provider::accepts_served_model(other.api_name, other.served_as, served);
  });
}

base::Result<ReuseSource> ReuseSource::open(const std::string& directory) {
  ReuseSource source;
  source.directory_ = directory;
  TRY_ASSIGN(source.reader_, ledger::Reader::open(directory));
  TRY(source.reader_->begin());
  TRY_ASSIGN(source.mark_, source.reader_->high_water_mark());
  TRY(source.reader_->scan("SELECT key FROM run", [&](std::span<const Cell> row) {
    source.key_ = digest_of_cell(row[0]);
    return false;
  }));
  return source;
}

base::Result<ReusePlan> plan_reuse(const RunContext& context,
                                   const RunHistory& history,
                                   std::span<const ReuseSource> sources) {
  ReuseFinder finder(context, history);
  for (const ReuseSource& source : sources) {
    const base::Status looked = finder.look_in(source);
    if (!looked.has_value()) {
      return std::unexpected(base::with_context(looked.error(), source.directory()));
    }
  }
  return finder.result();
}

base::Status copy_reused(const RunContext& context,
                         const ReusePlan& plan,
                         std::span<const ReuseSource> sources,
                         base::WallTime now,
                         ledger::Ledger& ledger) {
  if (plan.trials.empty()) {
    return {};
  }
  for (const spec::Cell& cell : context.campaign->cells) {
    ledger.append(to_record(*context.topology, cell));
  }
  ReuseCopier copier(context, now, ledger);
  for (const ReusableTrial& trial : plan.trials) {
    const ReuseSource& source = sources[trial.source];
    const base::Status copied = copier.copy(trial, source.reader());
    if (!copied.has_value()) {
      return std::unexpected(
          base::with_context(copied.error(),
                             fmt::format("{} gives no trial {} (prove it with: sortie verify {})",
                                         source.directory(),
                                         trial.trial,
                                         source.directory())));
    }
  }
  const auto durable = ledger.flush();
  return durable.has_value() ? base::Status() : std::unexpected(durable.error());
}

std::string to_text(const ReusePlan& plan) {
  std::string text;
  for (const ReuseSummary& source : plan.sources) {
    text += fmt::format("reuses {} of {} trials from {} (${:.4f} paid there)",
                        base::with_thousands(static_cast<long long>(source.trials)),
                        base::with_thousands(static_cast<long long>(plan.planned)),
                        source.directory,
                        static_cast<double>(source.cost) / 1e6);
    if (source.had_already > 0) {
      text += fmt::format("; {} more are here already",
                          base::with_thousands(static_cast<long long>(source.had_already)));
    }
    if (source.other_served > 0) {
      text += fmt::format("; {} more were answered by a model that no route declares today",
                          base::with_thousands(static_cast<long long>(source.other_served)));
    }
    if (source.trials + source.had_already + source.other_served == 0) {
      text += fmt::format(
          "; none of its {} scored trials is one of this campaign: the same task, factors, model "
          "identity, sampling, seed and prompts give the same trial",
          base::with_thousands(static_cast<long long>(source.scored)));
    }
    text += "\n";
  }
  return text;
}

}  // namespace sortie::engine
