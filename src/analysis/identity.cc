#include "sortie/analysis/identity.h"

#include "sortie/analysis/answer_count.h"
#include "sortie/analysis/cells.h"
#include "sortie/base/text.h"
#include "sortie/base/time.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include <fmt/format.h>

namespace sortie::analysis {

namespace {

using ledger::Cell;

// Two means are called different beyond this many standard errors of their difference (p < 0.001)
// and this part of the smaller one, with at least so many answers each.
constexpr double kErrors = 3.29;
constexpr double kPart = 0.1;
constexpr std::uint64_t kAnswersMin = 30;

constexpr double kSpeedRatio = 2;  // tokens per second that differ by more are mentioned

std::uint64_t count_of(const Cell& cell) {
  return static_cast<std::uint64_t>(int_of(cell));
}

/// Under which names a route's requests went.
struct Names {
  std::string requested;
  std::string sent;
  std::string served;
  std::uint64_t requests = 0;
  std::uint64_t wrong_model = 0;
};

/// What a ledger says of one route.
struct Tally {
  std::vector<Names> names;  // few
  std::map<std::string, FingerprintUse, std::less<>> fingerprints;
  AnswerCount counted;
  // Of first answers whose tokens the server counted.
  std::uint64_t first_answers = 0;
  double tokens = 0;
  double squares = 0;  // of their tokens
  double bytes = 0;
  double microseconds = 0;

  Names& under(std::string_view requested, std::string_view sent, std::string_view served) {
    const auto known = std::ranges::find_if(names, [&](const Names& one) {
      return one.served == served && one.sent == sent && one.requested == requested;
    });
    return known != names.end() ? *known
                                : names.emplace_back(Names{.requested = std::string(requested),
                                                           .sent = std::string(sent),
                                                           .served = std::string(served)});
  }

  [[nodiscard]] AnswerSizes sizes() const {
    AnswerSizes sizes;
    if (first_answers == 0) {
      return sizes;
    }
    const auto n = static_cast<double>(first_answers);
    sizes.n = first_answers;
    sizes.tokens = tokens / n;
    if (first_answers > 1) {
      sizes.tokens_error = std::sqrt(std::max(0.0, (squares - tokens * tokens / n) / (n - 1)) / n);
    }
    sizes.bytes_per_token = bytes / tokens;
    sizes.tokens_per_second = microseconds > 0 ? tokens / (microseconds / 1e6) : 0;
    return sizes;
  }
};

class IdentityReader {
 public:
  explicit IdentityReader(ledger::Reader& reader) : reader_(reader) {}

  base::Result<Identity> run() {
    TRY(read_prompts_of_cells());
    TRY(read_requests());
    list_routes();
    compare_tokenizers();
    for (const RouteIdentity& route : out_.routes) {
      hint_at_names(route);
      hint_at_fingerprints(route);
    }
    hint_at_answers();
    hint_at_tokenizers();
    hint_at_empty_answers();
    return std::move(out_);
  }

 private:
  /// The first prompt is a function of these columns and the task.
  base::Status read_prompts_of_cells() {
    return reader_.scan(
        "SELECT id, model || char(31) || prompt || char(31) || severity || char(31) || difficulty "
        "|| char(31) || protocol FROM cell",
        [&](std::span<const Cell> row) {
          prompt_of_cell_.emplace(text_of(row[0]), text_of(row[1]));
          return true;
        });
  }

  /// All in one pass: to group millions of rows by their texts SQLite would sort them.
  base::Status read_requests() {
    return reader_.scan(
        fmt::format(
            "SELECT a.route, a.requested_model, a.api_name, e.served_model, e.cause = "
            "'wrong_model', a.at, t.attempt, {}, t.fingerprint, t.turn, t.output_tokens, "
            "e.billing_known, e.duration_us, m.size, t.input_tokens, r.cell, r.task FROM attempt "
            "AS a JOIN attempt_end AS e ON e.attempt = a.id LEFT JOIN turn AS t ON t.attempt = "
            "a.id LEFT JOIN message AS m ON m.id = CASE WHEN t.turn = 0 THEN t.answer END LEFT "
            "JOIN trial AS r ON r.id = CASE WHEN t.turn = 0 THEN t.trial END",
            kIsEmpty),
        [&](std::span<const Cell> row) {
          add_request(row);
          return true;
        });
  }

  void add_request(std::span<const Cell> row) {
    const std::string_view route = view_of(row[0]);
    auto known = tallies_.find(route);
    if (known == tallies_.end()) {
      known = tallies_.emplace(route, Tally{}).first;
    }
    Tally& tally = known->second;
    if (const std::string_view served = view_of(row[3]); !served.empty()) {
      Names& names = tally.under(view_of(row[1]), view_of(row[2]), served);
      ++names.requests;
      names.wrong_model += count_of(row[4]);
    }
    if (!std::holds_alternative<std::monostate>(row[6])) {
      add_turn(known->first, tally, row);
    }
  }

  /// `row` is that of a request that became a turn.
  void add_turn(const std::string& route, Tally& tally, std::span<const Cell> row) {
    ++tally.counted.all;
    tally.counted.empty += count_of(row[7]);
    if (const std::string_view print = view_of(row[8]); !print.empty()) {
      const std::int64_t at = int_of(row[5]);
      auto use = tally.fingerprints.find(print);
      if (use == tally.fingerprints.end()) {
        use = tally.fingerprints
                  .emplace(print,
                           FingerprintUse{
                               .fingerprint = std::string(print), .first_at = at, .last_at = at})
                  .first;
      }
      ++use->second.turns;
      use->second.first_at = std::min(use->second.first_at, at);
      use->second.last_at = std::max(use->second.last_at, at);
    }
    if (int_of(row[9]) > 0) {
      return;
    }
    if (const std::int64_t output = int_of(row[10]); int_of(row[11]) != 0 && output > 0) {
      ++tally.first_answers;
      tally.tokens += static_cast<double>(output);
      tally.squares += static_cast<double>(output * output);
      tally.bytes += double_of(row[13]);
      tally.microseconds += double_of(row[12]);
    }
    if (const std::int64_t input = int_of(row[14]); input > 0) {
      add_prompt(route, view_of(row[15]), view_of(row[16]), input);
    }
  }

  void add_prompt(const std::string& route,
                  std::string_view cell,
                  std::string_view task,
                  std::int64_t tokens) {
    const auto prompt = prompt_of_cell_.find(cell);
    if (prompt == prompt_of_cell_.end()) {
      return;
    }
    key_.assign(prompt->second).append(1, '\x1f').append(task);
    const auto [known, fresh] = tokens_of_prompt_[key_].try_emplace(&route, tokens);
    known->second = std::min(known->second, tokens);
  }

  /// By model and route; those whose server states a name.
  void list_routes() {
    std::vector<std::pair<const Names*, const std::string*>> all;
    for (auto& [route, tally] : tallies_) {
      for (const Names& names : tally.names) {
        all.emplace_back(&names, &route);
      }
    }
    std::ranges::sort(all, {}, [](const auto& one) {
      const auto& [names, route] = one;
      return std::tie(names->requested, *route, names->sent, names->served);
    });
    for (const auto& [names, route] : all) {
      const auto [known, fresh] = by_name_.try_emplace(*route, out_.routes.size());
      if (fresh) {
        out_.routes.push_back(identity_of(*route, *names));
      }
      RouteIdentity& identity = out_.routes[known->second];
      identity.served[names->served] += names->requests;
      identity.wrong_model += names->wrong_model;
    }
  }

  [[nodiscard]] RouteIdentity identity_of(const std::string& route, const Names& names) const {
    const Tally& tally = tallies_.at(route);
    RouteIdentity identity{.route = route,
                           .requested = names.requested,
                           .sent = names.sent,
                           .served = {},
                           .wrong_model = 0,
                           .fingerprints = {},
                           .answers = tally.sizes(),
                           .counted = tally.counted};
    for (const auto& [name, use] : tally.fingerprints) {
      identity.fingerprints.push_back(use);
    }
    std::ranges::stable_sort(identity.fingerprints, {}, &FingerprintUse::first_at);
    return identity;
  }

  void compare_tokenizers() {
    using Counts = std::vector<std::pair<std::size_t, std::int64_t>>;  // route, tokens
    std::map<std::pair<std::size_t, std::size_t>, TokenizerComparison> pairs;
    std::map<std::pair<std::size_t, std::size_t>, std::pair<double, double>> sums;
    for (const auto& [prompt, tokens] : tokens_of_prompt_) {
      Counts counts;
      for (const auto& [route, count] : tokens) {
        if (const auto known = by_name_.find(*route); known != by_name_.end()) {
          counts.emplace_back(known->second, count);
        }
      }
      std::ranges::sort(counts, {}, [&](const auto& one) { return out_.routes[one.first].route; });
      for (std::size_t i = 0; i < counts.size(); ++i) {
        for (std::size_t j = i + 1; j < counts.size(); ++j) {
          const std::pair key(counts[i].first, counts[j].first);
          TokenizerComparison& pair = pairs[key];
          ++pair.prompts;
          pair.equal += counts[i].second == counts[j].second ? 1U : 0U;
          sums[key].first += static_cast<double>(counts[i].second);
          sums[key].second += static_cast<double>(counts[j].second);
        }
      }
    }
    for (auto& [key, pair] : pairs) {
      pair.first = out_.routes[key.first].route;
      pair.second = out_.routes[key.second].route;
      pair.ratio = sums[key].first / sums[key].second;
      out_.tokenizers.push_back(pair);
    }
  }

  /// Also of routes whose server states no name.
  void hint_at_empty_answers() {
    for (const auto& [route, tally] : tallies_) {
      if (tally.counted.suspect()) {
        out_.hints.push_back(route + ": " +
                             suspicion(tally.counted, phrases_in(Language::english)));
      }
    }
  }

  void hint_at_names(const RouteIdentity& route) {
    if (route.wrong_model > 0) {
      out_.hints.push_back(fmt::format("{}: {} answers were refused since another model gave them",
                                       route.route,
                                       route.wrong_model));
    }
    if (route.served.size() > 1) {
      std::vector<std::string> names;
      for (const auto& [name, requests] : route.served) {
        names.push_back(fmt::format("{} ({})", name, requests));
      }
      out_.hints.push_back(fmt::format(
          "{} was served under several names: {}", route.route, base::join(names, ", ")));
    }
  }

  void hint_at_fingerprints(const RouteIdentity& route) {
    const auto& uses = route.fingerprints;
    if (uses.size() < 2) {
      return;
    }
    bool overlap = false;
    for (std::size_t i = 1; i < uses.size(); ++i) {
      overlap = overlap || uses[i].first_at <= uses[i - 1].last_at;
    }
    out_.hints.push_back(
        fmt::format("{}: the fingerprint is not one but {}, {}",
                    route.route,
                    uses.size(),
                    overlap ? "some at the same time: several backends answer"
                            : "one after the other: the backend changed during the run"));
  }

  [[nodiscard]] std::vector<std::pair<const RouteIdentity*, const RouteIdentity*>> pairs() const {
    std::vector<std::pair<const RouteIdentity*, const RouteIdentity*>> out;
    for (std::size_t i = 0; i < out_.routes.size(); ++i) {
      for (std::size_t j = i + 1; j < out_.routes.size(); ++j) {
        const RouteIdentity& first = out_.routes[i];
        const RouteIdentity& second = out_.routes[j];
        if (first.requested == second.requested && first.answers.n >= kAnswersMin &&
            second.answers.n >= kAnswersMin) {
          out.emplace_back(&first, &second);
        }
      }
    }
    return out;
  }

  void hint_at_answers() {
    for (const auto& [a, b] : pairs()) {
      const double difference = std::abs(a->answers.tokens - b->answers.tokens);
      const double error = std::hypot(a->answers.tokens_error, b->answers.tokens_error);
      if (difference > kErrors * error &&
          difference > kPart * std::min(a->answers.tokens, b->answers.tokens)) {
        out_.hints.push_back(
            fmt::format("{}: first answers of {} have {:.0f} tokens, those of {} {:.0f}",
                        a->requested,
                        a->route,
                        a->answers.tokens,
                        b->route,
                        b->answers.tokens));
      }
      const auto [slow, fast] =
          std::minmax(a->answers.tokens_per_second, b->answers.tokens_per_second);
      if (fast > kSpeedRatio * slow) {
        out_.hints.push_back(fmt::format("{}: {} gives {:.0f} tokens per second, {} {:.0f}",
                                         a->requested,
                                         a->route,
                                         a->answers.tokens_per_second,
                                         b->route,
                                         b->answers.tokens_per_second));
      }
    }
  }

  void hint_at_tokenizers() {
    for (const TokenizerComparison& pair : out_.tokenizers) {
      if (pair.equal < pair.prompts) {
        out_.hints.push_back(fmt::format(
            "{} and {} count {} of {} equal prompts differently (ratio {:.3f}): another tokenizer "
            "or chat template, or other weights",
            pair.first,
            pair.second,
            pair.prompts - pair.equal,
            pair.prompts,
            pair.ratio));
      }
    }
  }

  ledger::Reader& reader_;
  std::map<std::string, std::string, std::less<>> prompt_of_cell_;
  std::map<std::string, Tally, std::less<>> tallies_;  // by route; its names stay where they are
  std::unordered_map<std::string, std::map<const std::string*, std::int64_t>> tokens_of_prompt_;
  std::string key_;
  Identity out_;
  std::map<std::string, std::size_t> by_name_;
};

std::string when(std::int64_t microseconds) {
  return base::to_iso8601(base::WallTime(std::chrono::microseconds(microseconds)));
}

}  // namespace

base::Result<Identity> read_identity(ledger::Reader& reader) {
  return IdentityReader(reader).run();
}

std::string to_text(const Identity& identity) {
  std::string text;
  for (const RouteIdentity& route : identity.routes) {
    std::vector<std::string> names;
    for (const auto& [name, requests] : route.served) {
      names.push_back(fmt::format("{} ({})", name, requests));
    }
    text += fmt::format("  {}  asked {}, sent {}, served {}\n",
                        route.route,
                        route.requested,
                        route.sent,
                        base::join(names, ", "));
    for (const FingerprintUse& use : route.fingerprints) {
      text += fmt::format("    fingerprint {}: {} turns, {} to {}\n",
                          use.fingerprint,
                          use.turns,
                          when(use.first_at),
                          when(use.last_at));
    }
    if (route.answers.n > 0) {
      text += fmt::format(
          "    {} first answers: {:.1f} ± {:.1f} tokens, {:.2f} bytes a token, {:.1f} tokens a "
          "second\n",
          route.answers.n,
          route.answers.tokens,
          1.96 * route.answers.tokens_error,
          route.answers.bytes_per_token,
          route.answers.tokens_per_second);
    }
  }
  for (const TokenizerComparison& pair : identity.tokenizers) {
    text += fmt::format("  {} and {}: {} of {} equal prompts have as many tokens\n",
                        pair.first,
                        pair.second,
                        pair.equal,
                        pair.prompts);
  }
  for (const std::string& hint : identity.hints) {
    text += fmt::format("hint   {}\n", hint);
  }
  return text;
}

json::Value to_json(const Identity& identity) {
  json::Array routes;
  for (const RouteIdentity& route : identity.routes) {
    json::Object served;
    for (const auto& [name, requests] : route.served) {
      served[name] = requests;
    }
    json::Array fingerprints;
    for (const FingerprintUse& use : route.fingerprints) {
      fingerprints.push_back(json::Object{{"fingerprint", use.fingerprint},
                                          {"turns", use.turns},
                                          {"first_at", when(use.first_at)},
                                          {"last_at", when(use.last_at)}});
    }
    routes.push_back(json::Object{{"route", route.route},
                                  {"requested", route.requested},
                                  {"sent", route.sent},
                                  {"served", std::move(served)},
                                  {"wrong_model", route.wrong_model},
                                  {"fingerprints", std::move(fingerprints)},
                                  {"first_answers", route.answers.n},
                                  {"tokens", route.answers.tokens},
                                  {"tokens_standard_error", route.answers.tokens_error},
                                  {"bytes_per_token", route.answers.bytes_per_token},
                                  {"tokens_per_second", route.answers.tokens_per_second},
                                  {"answers", route.counted.all},
                                  {"empty_answers", route.counted.empty},
                                  {"suspect", route.counted.suspect()}});
  }
  json::Array tokenizers;
  for (const TokenizerComparison& pair : identity.tokenizers) {
    tokenizers.push_back(json::Object{{"first", pair.first},
                                      {"second", pair.second},
                                      {"prompts", pair.prompts},
                                      {"equal", pair.equal},
                                      {"ratio", pair.ratio}});
  }
  return json::Object{{"routes", std::move(routes)},
                      {"tokenizers", std::move(tokenizers)},
                      {"hints", json::Array(identity.hints.begin(), identity.hints.end())}};
}

}  // namespace sortie::analysis
