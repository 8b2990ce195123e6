#include "sortie/testbed/scenarios.h"

#include "sortie/sim/profile.h"
#include "sortie/testbed/building_blocks.h"
#include "sortie/testbed/scenario.h"

#include <array>
#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sortie::testbed {

namespace {

using sim::LimitProfile;
using sim::Shape;
using sim::TokenCost;

constexpr std::array<double, 3> kUnequalRpm = {600, 300, 150};
constexpr double kEqualRpm = 350;
constexpr double kDailyRequests = 4200;  // of 7,000 that the key would serve

std::vector<LimitProfile> unequal_rpm() {
  return {rpm(kUnequalRpm[0]), rpm(kUnequalRpm[1]), rpm(kUnequalRpm[2])};
}

std::vector<LimitProfile> equal_rpm() {
  return {rpm(kEqualRpm), rpm(kEqualRpm), rpm(kEqualRpm)};
}

std::vector<LimitProfile> unequal_tpm(double largest, TokenCost cost) {
  return {tpm(largest, cost), tpm(largest / 2, cost), tpm(largest / 4, cost)};
}

/// A, and what goes wrong in a bad hour.
Scenario faults() {
  Scenario scenario = one_model("faults",
                                "A with 0.2 % hung requests, two bursts of 500s and one of three "
                                "keys revoked at 30 %",
                                unequal_rpm());
  scenario.hung = 0.002;
  scenario.incidents = {
      {.kind = IncidentKind::server_errors, .key = {}, .from = 0.15, .until = 0.18, .factor = 1},
      {.kind = IncidentKind::key_revoked, .key = key_name(1), .from = 0.30},
      {.kind = IncidentKind::server_errors, .key = {}, .from = 0.60, .until = 0.65, .factor = 0.5},
  };
  return scenario;
}

std::vector<Scenario> standard() {
  std::vector<Scenario> result;
  result.push_back(one_model(
      "A", "requests a minute, keys 600 : 300 : 150, buckets of one second", unequal_rpm()));
  result.push_back(one_model("B",
                             "tokens a minute as really used, keys 4 : 2 : 1",
                             unequal_tpm(1'200'000, TokenCost::input_output)));
  result.push_back(one_model("C",
                             "tokens a minute counted as prompt + max_tokens, keys 4 : 2 : 1",
                             unequal_tpm(2'400'000, TokenCost::input_and_max_tokens)));
  result.push_back(
      one_model("D", "requests at once, keys 60 : 30 : 15", {slots(60), slots(30), slots(15)}));
  result.push_back(one_model("E", "A with 0.2 % hung requests", unequal_rpm()));
  result.back().hung = 0.002;
  result.push_back(one_model("F", "requests a minute, three equal keys of 350", equal_rpm()));
  result.push_back(one_model(
      "G",
      "A enforced over every sliding second",
      {rpm_sliding(kUnequalRpm[0]), rpm_sliding(kUnequalRpm[1]), rpm_sliding(kUnequalRpm[2])}));
  result.push_back(faults());
  return result;
}

/// Three keys of one account with one limit.
Scenario one_account(std::string name, std::string summary, LimitProfile limit) {
  Scenario scenario = one_model(std::move(name), std::move(summary), {});
  scenario.keys = keys(3);
  for (KeySpec& key : scenario.keys) {
    key.account = "account";
  }
  scenario.limits = {of_account(std::move(limit))};
  return scenario;
}

Scenario with_incident(Scenario scenario, Incident incident) {
  scenario.incidents.push_back(std::move(incident));
  return scenario;
}

void add_key_troubles(std::vector<Scenario>& out) {
  const Incident slow{
      .kind = IncidentKind::key_slow, .key = key_name(2), .from = 0.5, .factor = 10};
  out.push_back(with_incident(
      one_model("slow-slots",
                "three keys of 35 requests at once; from the middle on one takes ten times as long",
                {slots(35), slots(35), slots(35)}),
      slow));
  out.push_back(with_incident(
      one_model("slow-rpm", "F; from the middle on one key takes ten times as long", equal_rpm()),
      slow));
  out.push_back(
      with_incident(one_model("dead", "F; one key is revoked in the middle", equal_rpm()),
                    {.kind = IncidentKind::key_revoked, .key = key_name(2), .from = 0.5}));
  out.push_back(with_incident(
      one_model("outage", "F; no key can be reached between 40 and 60 %", equal_rpm()),
      {.kind = IncidentKind::outage, .key = {}, .from = 0.4, .until = 0.6}));
  out.push_back(with_incident(
      one_model(
          "halved", "A; between 30 and 60 % the largest key has half its limit", unequal_rpm()),
      {.kind = IncidentKind::limits_scaled,
       .key = key_name(0),
       .from = 0.3,
       .until = 0.6,
       .factor = 0.5}));
}

/// A day's requests of one key are used up on the way; nobody says so beforehand.
Scenario daily() {
  Scenario scenario =
      one_model("daily", "A; the largest key ends at 60 % of its work for the day", unequal_rpm());
  scenario.told = scenario.limits;
  LimitProfile cap;
  cap.name = "rpd";
  cap.quota = kDailyRequests;
  cap.window = std::chrono::hours(24);
  cap.shape = Shape::fixed_first_use;
  cap.keys = {key_name(0)};
  scenario.limits.push_back(cap);
  return scenario;
}

/// Two of three keys belong to one account and share a limit that each is said to have.
Scenario pair() {
  Scenario scenario =
      one_model("pair", "F, but two of the keys share their limit, undeclared", equal_rpm());
  scenario.told = scenario.limits;
  scenario.keys[0].account = "pair";
  scenario.keys[1].account = "pair";
  LimitProfile shared = of_account(rpm(kEqualRpm));
  shared.keys = {key_name(0), key_name(1)};
  scenario.limits = {shared, of_key(rpm(kEqualRpm), 2)};
  return scenario;
}

/// The provider raises all limits in tiers while the campaign goes on; nobody says so.
Scenario growing() {
  Scenario scenario =
      one_model("growing",
                "A; all limits are 1.5 times as high from 30 % on, twice from 60 % on",
                unequal_rpm());
  scenario.told = scenario.limits;
  scenario.incidents = {
      {.kind = IncidentKind::limits_scaled, .key = {}, .from = 0.3, .until = 0.6, .factor = 1.5},
      {.kind = IncidentKind::limits_scaled, .key = {}, .from = 0.6, .factor = 2}};
  return scenario;
}

/// Every answer says what the limit is and what is left of it.
Scenario headers() {
  Scenario scenario =
      one_model("headers", "A; each answer's headers name the limit of a minute", unequal_rpm());
  scenario.headers = true;
  return scenario;
}

/// The same limits as `headers` names, but counted over minutes: towards the end of one nothing is
/// left, although a client that keeps the pace is never refused.
Scenario headers_over_minutes(std::string name, std::string summary, LimitProfile of_minute) {
  Scenario scenario = one_model(std::move(name), std::move(summary), {});
  scenario.headers = true;
  scenario.keys = keys(kUnequalRpm.size());
  of_minute.burst = 0;
  for (std::size_t key = 0; key < kUnequalRpm.size(); ++key) {
    LimitProfile limit = of_minute;
    limit.quota *= kUnequalRpm[key] / kUnequalRpm[0];
    scenario.limits.push_back(of_key(std::move(limit), key));
  }
  return scenario;
}

LimitProfile shaped(LimitProfile limit, Shape shape) {
  limit.shape = shape;
  return limit;
}

void add_headers_over_minutes(std::vector<Scenario>& out) {
  const LimitProfile requests = rpm(kUnequalRpm[0]);
  const LimitProfile tokens = tpm(1'200'000, TokenCost::input_output);
  out.push_back(headers_over_minutes("told-sliding",
                                     "A over a sliding minute; headers say what is left of it",
                                     shaped(requests, Shape::sliding)));
  out.push_back(headers_over_minutes("told-fixed",
                                     "A over minutes of the clock; headers say what is left",
                                     shaped(requests, Shape::fixed_aligned)));
  out.push_back(headers_over_minutes("told-tokens",
                                     "B over a sliding minute; headers say what is left of it",
                                     shaped(tokens, Shape::sliding)));
}

Scenario collapse() {
  Scenario scenario = one_model(
      "collapse", "one server whose throughput falls when it has more than 50 in flight", {});
  scenario.keys = keys(1);
  scenario.collapse_above = 50;
  return scenario;
}

Scenario long_hints() {
  Scenario scenario = one_account("long-hints",
                                  "400,000 tokens a minute for three keys together; refusals ask "
                                  "for 41 to 60 s",
                                  tpm(400'000, TokenCost::input_output));
  scenario.limits[0].shape = Shape::fixed_aligned;
  scenario.limits[0].burst = 0;
  scenario.refusal.hint_seconds = {41, 60};
  scenario.models[0].work.dialogues = 300;
  return scenario;
}

/// A gateway that hides its limit behind HTTP 400 and names neither dimension nor time.
Scenario throttle_400() {
  Scenario scenario = one_account("throttle-400",
                                  "a limit behind HTTP 400 without a name or a hint, on three keys "
                                  "together",
                                  rpm(2 * kEqualRpm));
  scenario.refusal = {.named = false, .hint = false, .status = 400, .hint_seconds = {}};
  return scenario;
}

Scenario two_models() {
  Scenario scenario = one_account(
      "two-models", "two models on one account, one with ten times the work", rpm(3 * kEqualRpm));
  scenario.models = {{.name = "large", .work = {}, .keys = {}},
                     {.name = "small", .work = {.dialogues = 150}, .keys = {}}};
  return scenario;
}

/// A small campaign that somebody waits for, beside a large one.
Scenario urgent() {
  Scenario scenario = one_account(
      "urgent",
      "a model with a twentieth of the work and ten times the weight beside a large one",
      rpm(3 * kEqualRpm));
  scenario.models = {{.name = "large", .work = {}, .keys = {}},
                     {.name = "urgent", .work = {.dialogues = 75}, .keys = {}, .weight = 10}};
  return scenario;
}

/// Models that must have one request at a time on each key, beside one that must not wait for them.
Scenario held() {
  Scenario scenario = one_model(
      "held", "two models held at 1 in flight per key beside one at full speed on these keys", {});
  scenario.keys = keys(3);
  scenario.models = {{.name = "held-a", .work = {.dialogues = 40}, .keys = {}},
                     {.name = "held-b", .work = {.dialogues = 40}, .keys = {}},
                     {.name = "free", .work = {}, .keys = {}}};
  LimitProfile one = of_key_and_model(slots(1));
  one.models = {"held-a", "held-b"};
  LimitProfile full = of_key_and_model(rpm(kEqualRpm));
  full.models = {"free"};
  scenario.limits = {one, full};
  return scenario;
}

/// Four models whose keys overlap: only some may use the key that has room.
Scenario rights() {
  Scenario scenario =
      one_model("rights", "four models, each allowed on some of four keys only", {});
  scenario.keys = keys(4);
  WorkloadShape quarter;
  quarter.dialogues = 400;
  scenario.models = {
      {.name = "first", .work = quarter, .keys = {key_name(0)}},
      {.name = "either", .work = quarter, .keys = {key_name(0), key_name(1)}},
      {.name = "most", .work = quarter, .keys = {key_name(1), key_name(2), key_name(3)}},
      {.name = "last", .work = quarter, .keys = {key_name(3)}}};
  scenario.limits = {rpm(kEqualRpm)};
  return scenario;
}

std::vector<Scenario> all_scenarios() {
  std::vector<Scenario> result = standard();
  add_key_troubles(result);
  result.push_back(daily());
  result.push_back(pair());
  result.push_back(growing());
  result.push_back(headers());
  add_headers_over_minutes(result);
  result.push_back(collapse());
  result.push_back(long_hints());
  result.push_back(throttle_400());
  result.push_back(two_models());
  result.push_back(urgent());
  result.push_back(held());
  result.push_back(rights());
  return result;
}

}  // namespace

const std::vector<Scenario>& scenarios() {
  static const std::vector<Scenario> all = all_scenarios();
  return all;
}

const Scenario* find_scenario(std::string_view name) {
  for (const Scenario& scenario : scenarios()) {
    if (scenario.name == name) {
      return &scenario;
    }
  }
  return nullptr;
}

}  // namespace sortie::testbed
