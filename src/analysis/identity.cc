#include "sortie/analysis/identity.h"

#include "sortie/analysis/cells.h"
#include "sortie/base/text.h"
#include "sortie/base/time.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <utility>
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

class IdentityReader {
 public:
  explicit IdentityReader(ledger::Reader& reader) : reader_(reader) {}

  base::Result<Identity> run() {
    TRY(read_names());
    TRY(read_fingerprints());
    TRY(read_answers());
    TRY(read_tokenizers());
    for (const RouteIdentity& route : out_.routes) {
      hint_at_names(route);
      hint_at_fingerprints(route);
    }
    hint_at_answers();
    hint_at_tokenizers();
    return std::move(out_);
  }

 private:
  base::Status read_names() {
    return reader_.scan(
        "SELECT a.route, a.requested_model, a.api_name, e.served_model, count(*), sum(e.cause = "
        "'wrong_model') FROM attempt AS a JOIN attempt_end AS e ON e.attempt = a.id WHERE "
        "e.served_model <> '' GROUP BY 1, 2, 3, 4 ORDER BY 2, 1, 3, 4",
        [&](std::span<const Cell> row) {
          const std::string name = text_of(row[0]);
          const auto [known, fresh] = by_name_.try_emplace(name, out_.routes.size());
          if (fresh) {
            out_.routes.push_back({.route = name,
                                   .requested = text_of(row[1]),
                                   .sent = text_of(row[2]),
                                   .served = {},
                                   .wrong_model = 0,
                                   .fingerprints = {},
                                   .answers = {}});
          }
          RouteIdentity& route = out_.routes[known->second];
          route.served[text_of(row[3])] += count_of(row[4]);
          route.wrong_model += count_of(row[5]);
          return true;
        });
  }

  base::Status read_fingerprints() {
    return reader_.scan(
        "SELECT t.route, t.fingerprint, count(*), min(a.at), max(a.at) FROM turn AS t JOIN attempt "
        "AS a ON a.id = t.attempt WHERE t.fingerprint <> '' GROUP BY 1, 2 ORDER BY 1, 4",
        [&](std::span<const Cell> row) {
          if (const auto route = by_name_.find(text_of(row[0])); route != by_name_.end()) {
            out_.routes[route->second].fingerprints.push_back({.fingerprint = text_of(row[1]),
                                                               .turns = count_of(row[2]),
                                                               .first_at = int_of(row[3]),
                                                               .last_at = int_of(row[4])});
          }
          return true;
        });
  }

  /// Where the server counted tokens.
  base::Status read_answers() {
    return reader_.scan(
        "SELECT t.route, count(*), total(t.output_tokens), total(t.output_tokens * "
        "t.output_tokens), total(m.size), total(e.duration_us) FROM turn AS t JOIN attempt_end AS "
        "e ON e.attempt = t.attempt JOIN message AS m ON m.id = t.answer WHERE t.turn = 0 AND "
        "e.billing_known AND t.output_tokens > 0 GROUP BY 1",
        [&](std::span<const Cell> row) {
          const auto route = by_name_.find(text_of(row[0]));
          if (route == by_name_.end()) {
            return true;
          }
          AnswerSizes& answers = out_.routes[route->second].answers;
          answers.n = count_of(row[1]);
          const auto n = static_cast<double>(answers.n);
          const double sum = double_of(row[2]);
          answers.tokens = sum / n;
          if (answers.n > 1) {
            const double variance = std::max(0.0, (double_of(row[3]) - sum * sum / n) / (n - 1));
            answers.tokens_error = std::sqrt(variance / n);
          }
          answers.bytes_per_token = double_of(row[4]) / sum;
          const double seconds = double_of(row[5]) / 1e6;
          answers.tokens_per_second = seconds > 0 ? sum / seconds : 0;
          return true;
        });
  }

  /// The first prompt is a function of these columns.
  base::Status read_tokenizers() {
    using Counts = std::vector<std::pair<std::size_t, std::int64_t>>;  // route, tokens
    std::map<std::pair<std::size_t, std::size_t>, TokenizerComparison> pairs;
    std::map<std::pair<std::size_t, std::size_t>, std::pair<double, double>> sums;
    Counts counts;
    std::string prompt;
    const auto close = [&] {
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
      counts.clear();
    };
    TRY(reader_.scan(
        "SELECT c.model || char(31) || c.prompt || char(31) || c.severity || char(31) || "
        "c.difficulty || char(31) || c.protocol || char(31) || r.task, t.route, "
        "min(t.input_tokens) FROM turn AS t JOIN trial AS r ON r.id = t.trial JOIN cell AS c ON "
        "c.id = r.cell WHERE t.turn = 0 AND t.input_tokens > 0 GROUP BY 1, 2 ORDER BY 1, 2",
        [&](std::span<const Cell> row) {
          std::string next = text_of(row[0]);
          if (next != prompt) {
            close();
            prompt = std::move(next);
          }
          if (const auto route = by_name_.find(text_of(row[1])); route != by_name_.end()) {
            counts.emplace_back(route->second, int_of(row[2]));
          }
          return true;
        }));
    close();
    for (auto& [key, pair] : pairs) {
      pair.first = out_.routes[key.first].route;
      pair.second = out_.routes[key.second].route;
      pair.ratio = sums[key].first / sums[key].second;
      out_.tokenizers.push_back(pair);
    }
    return {};
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
                                  {"tokens_per_second", route.answers.tokens_per_second}});
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
