#include "sortie/sim/pools.h"

#include "sortie/base/check.h"
#include "sortie/base/time.h"
#include "sortie/sim/limiter.h"
#include "sortie/sim/profile.h"
#include "sortie/wire/message.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace sortie::sim {

namespace {

using base::Duration;
using base::Instant;

bool selects(const std::vector<std::string>& names, std::string_view name) {
  return names.empty() || std::ranges::find(names, name) != names.end();
}

/// A request larger than a sub-window's share takes the whole share: only the limit's own window
/// can exclude it.
double cost_in_rule(double cost, std::size_t rule, const RateRule& of) {
  return rule == 0 ? cost : std::min(cost, of.quota);
}

std::string trimmed_decimal(double value) {
  std::string text = fmt::format("{:.3f}", value);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') {
    text.pop_back();
  }
  return text;
}

}  // namespace

bool applies(const LimitProfile& limit, const Demand& demand) {
  return selects(limit.models, demand.model) && selects(limit.keys, demand.key);
}

double cost_at_admission(const LimitProfile& limit, const Demand& demand) {
  if (limit.dimension != Dimension::tokens) {
    return 1;
  }
  const auto input = static_cast<double>(demand.input);
  const auto output = static_cast<double>(demand.output);
  const auto max_tokens = static_cast<double>(demand.max_tokens);
  switch (limit.cost) {
    case TokenCost::input:
      return input;
    case TokenCost::output:
      return output;
    case TokenCost::input_output:
      return input + output;
    case TokenCost::input_and_max_tokens:
      return input + max_tokens;
    case TokenCost::larger_of_max_tokens_and_input:
      return std::max(input, max_tokens);
  }
  return input;
}

/// What a reserving limit charges in the end: the tokens really used.
double cost_at_end(const LimitProfile& limit, const Demand& demand) {
  switch (limit.cost) {
    case TokenCost::input:
      return static_cast<double>(demand.input);
    case TokenCost::output:
      return static_cast<double>(demand.output);
    default:
      return static_cast<double>(demand.input + demand.output);
  }
}

std::string go_duration(Duration duration) {
  using std::chrono::milliseconds;
  const auto total = std::chrono::ceil<milliseconds>(std::max(duration, Duration::zero()));
  if (total < std::chrono::seconds(1)) {
    return total.count() == 0 ? "0s" : fmt::format("{}ms", total.count());
  }
  const auto hours = std::chrono::floor<std::chrono::hours>(total);
  const auto minutes = std::chrono::floor<std::chrono::minutes>(total - hours);
  const std::string seconds =
      trimmed_decimal(std::chrono::duration<double>(total - hours - minutes).count());
  if (hours.count() > 0) {
    return fmt::format("{}h{}m{}s", hours.count(), minutes.count(), seconds);
  }
  return minutes.count() > 0 ? fmt::format("{}m{}s", minutes.count(), seconds) : seconds + "s";
}

std::string pool_name(const LimitProfile& limit, const Demand& demand) {
  std::string name = limit.name;
  for (const auto& [used, part] : {std::pair(limit.per_account, demand.account),
                                   std::pair(limit.per_key, demand.key),
                                   std::pair(limit.per_model, demand.model)}) {
    if (used) {
      name += '/';
      name += part;
    }
  }
  return name;
}

LimitPools::LimitPools(std::vector<LimitProfile> limits) : limits_(std::move(limits)) {}

std::size_t LimitPools::pool_of(std::size_t limit_index, const Demand& demand) {
  const LimitProfile& limit = limits_[limit_index];
  std::string name = pool_name(limit, demand);
  if (const auto found = by_name_.find(name); found != by_name_.end()) {
    return found->second;
  }
  Pool pool;
  pool.limit = &limit;
  pool.report = {.name = name, .dimension = limit.dimension, .quota = limit.quota};
  if (limit.dimension == Dimension::concurrency) {
    pool.slots.emplace(static_cast<std::size_t>(limit.quota));
  } else {
    pool.rules = rules_of(limit);
    for (const RateRule& rule : pool.rules) {
      pool.windows.push_back(make_rate_limiter(rule));
    }
  }
  pools_.push_back(std::move(pool));
  by_name_.emplace(std::move(name), pools_.size() - 1);
  return pools_.size() - 1;
}

std::vector<std::size_t> LimitPools::pools_of(const Demand& demand) {
  std::vector<std::size_t> found;
  for (std::size_t i = 0; i < limits_.size(); ++i) {
    if (applies(limits_[i], demand)) {
      found.push_back(pool_of(i, demand));
    }
  }
  return found;
}

std::optional<Refusal> LimitPools::judge(Pool& pool, const Demand& demand, Instant now) {
  PoolReport& report = pool.report;
  if (now < pool.gate) {
    ++report.early_arrivals;
  }
  Refusal refusal{
      .limit = report.name, .dimension = report.dimension, .quota = report.quota, .requested = 1};
  if (pool.slots.has_value()) {
    refusal.used = static_cast<double>(pool.slots->in_use(now));
    report.peak_demand = std::max(report.peak_demand, (refusal.used + 1) / report.quota);
    return pool.slots->admits(now) ? std::nullopt : std::optional(refusal);
  }
  const double cost = cost_at_admission(*pool.limit, demand);
  std::optional<Refusal> longest;
  for (std::size_t rule = 0; rule < pool.rules.size(); ++rule) {
    const double part = cost_in_rule(cost, rule, pool.rules[rule]);
    const Duration wait = pool.windows[rule]->wait(part, now);
    const double used = pool.windows[rule]->used(now);
    const double capacity =
        pool.rules[rule].burst > 0 ? pool.rules[rule].burst : pool.rules[rule].quota;
    report.peak_demand = std::max(report.peak_demand, (used + part) / capacity);
    if (wait > Duration::zero() && (!longest.has_value() || wait > longest->wait)) {
      refusal.used = used;
      refusal.quota = pool.rules[rule].quota;
      refusal.window = pool.rules[rule].window;
      refusal.requested = part;
      refusal.wait = wait;
      longest = refusal;
    }
  }
  return longest;
}

void LimitPools::charge(std::size_t index, const Demand& demand, Instant now, Holding& holding) {
  Pool& pool = pools_[index];
  ++pool.report.admitted;
  if (pool.slots.has_value()) {
    pool.slots->take();
    holding.slots.push_back(index);
    return;
  }
  const bool settles =
      pool.limit->dimension == Dimension::tokens && pool.limit->settle == Settle::at_end;
  const double cost = cost_at_admission(*pool.limit, demand);
  for (std::size_t rule = 0; rule < pool.rules.size(); ++rule) {
    const Taking taking = pool.windows[rule]->take(cost_in_rule(cost, rule, pool.rules[rule]), now);
    if (settles) {
      const double settled = cost_in_rule(cost_at_end(*pool.limit, demand), rule, pool.rules[rule]);
      holding.settle_at_end.push_back(
          {.pool = index, .rule = rule, .taking = taking, .settled_cost = settled});
    }
  }
}

std::optional<Refusal> LimitPools::admit(const Demand& demand, Instant now, Holding& holding) {
  const std::vector<std::size_t> indexes = pools_of(demand);
  std::optional<Refusal> longest;
  for (const std::size_t index : indexes) {
    std::optional<Refusal> refusal = judge(pools_[index], demand, now);
    if (refusal.has_value()) {
      Pool& pool = pools_[index];
      ++pool.report.refused;
      if (refusal->wait != kNever) {
        pool.gate = std::max(pool.gate, now + refusal->wait);
      }
      if (!longest.has_value() || refusal->wait > longest->wait) {
        longest = std::move(refusal);
      }
    }
  }
  if (!longest.has_value()) {
    for (const std::size_t index : indexes) {
      charge(index, demand, now, holding);
    }
    return std::nullopt;
  }
  for (const std::size_t index : indexes) {
    Pool& pool = pools_[index];
    if (pool.limit->refused_count && pool.limit->dimension == Dimension::requests) {
      for (const auto& window : pool.windows) {
        window->take(1, now);
      }
    }
  }
  return longest;
}

void LimitPools::finish(const Holding& holding, Instant now, bool cancelled) {
  for (const Holding::Part& part : holding.settle_at_end) {
    pools_[part.pool].windows[part.rule]->settle(part.taking, part.settled_cost, now);
  }
  for (const std::size_t index : holding.slots) {
    Pool& pool = pools_[index];
    CHECK(pool.slots.has_value());
    pool.slots->release(cancelled ? now + pool.limit->release_grace : now);
  }
}

std::vector<ShownLimit> LimitPools::shown(const Demand& demand, Instant now) {
  std::vector<ShownLimit> out;
  for (const Dimension dimension : {Dimension::requests, Dimension::tokens}) {
    Pool* tightest = nullptr;
    double share = 2;  // of the quota that remains; any pool has less
    for (const std::size_t index : pools_of(demand)) {
      Pool& pool = pools_[index];
      if (pool.report.dimension != dimension || !pool.limit->headers) {
        continue;
      }
      const double left = 1 - pool.windows[0]->used(now) / pool.report.quota;
      if (left < share) {
        share = left;
        tightest = &pool;
      }
    }
    if (tightest != nullptr) {
      const double quota = tightest->report.quota;
      out.push_back(
          {.dimension = dimension,
           .quota = quota,
           .remaining = std::max(0.0, std::floor(quota - tightest->windows[0]->used(now))),
           .reset = tightest->windows[0]->until_reset(now)});
    }
  }
  return out;
}

void append_limit_headers(const ShownLimit& limit, wire::Headers& headers) {
  const std::string_view name = to_string(limit.dimension);
  headers.add(fmt::format("x-ratelimit-limit-{}", name), fmt::format("{:.0f}", limit.quota));
  headers.add(fmt::format("x-ratelimit-remaining-{}", name),
              fmt::format("{:.0f}", limit.remaining));
  headers.add(fmt::format("x-ratelimit-reset-{}", name), go_duration(limit.reset));
}

void LimitPools::append_headers(const Demand& demand, Instant now, wire::Headers& headers) {
  for (const ShownLimit& limit : shown(demand, now)) {
    append_limit_headers(limit, headers);
  }
}

void LimitPools::scale(const Demand& demand, double factor, Instant now) {
  for (const std::size_t index : pools_of(demand)) {
    Pool& pool = pools_[index];
    pool.report.quota = factor * pool.limit->quota;
    if (pool.slots.has_value()) {
      pool.slots->set_quota(static_cast<std::size_t>(std::llround(pool.report.quota)));
    }
    for (const auto& window : pool.windows) {
      window->scale(factor, now);
    }
  }
}

std::vector<PoolReport> LimitPools::report() const {
  std::vector<PoolReport> reports;
  reports.reserve(pools_.size());
  for (const Pool& pool : pools_) {
    reports.push_back(pool.report);
  }
  return reports;
}

}  // namespace sortie::sim
