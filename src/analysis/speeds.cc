#include "sortie/analysis/speeds.h"

#include "sortie/analysis/cells.h"
#include "sortie/base/time.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace sortie::analysis {

namespace {

std::string decider(const json::Value& detail, const Phrases& say) {
  const std::string domain(json::get_string(detail, "domain").value_or(""));
  if (domain.empty()) {
    return say("speed.longest");
  }
  std::string text = say("speed.limit",
                         fmt::arg("limit", json::get_string(detail, "limit").value_or("")),
                         fmt::arg("domain", domain));
  if (json::get_bool(detail, "estimated").value_or(false)) {
    return say("speed.learned",
               fmt::arg("limit", text),
               fmt::arg("sure", 100 * json::get_double(detail, "confidence").value_or(0)));
  }
  return text;
}

/// Why time was lost, in the order of the events; later versions know more reasons.
std::vector<std::string> reasons_of(const std::vector<StartSpeed>& speeds) {
  std::vector<std::string> reasons;
  for (const StartSpeed& speed : speeds) {
    const json::Object* lost = json::get_object(speed.detail, "lost_seconds");
    for (auto member = lost == nullptr ? nullptr : lost->begin();
         lost != nullptr && member != lost->end();
         ++member) {
      if (std::ranges::find(reasons, std::string_view(member->key())) == reasons.end()) {
        reasons.emplace_back(member->key());
      }
    }
  }
  return reasons;
}

}  // namespace

base::Result<std::vector<StartSpeed>> read_speeds(ledger::Reader& reader) {
  std::vector<StartSpeed> speeds;
  TRY(reader.scan("SELECT at, detail FROM event WHERE kind = 'run_speed' ORDER BY id",
                  [&](std::span<const ledger::Cell> row) {
                    auto detail = json::parse(text_of(row[1]));
                    if (detail.has_value() && detail->is_object()) {
                      const base::WallTime at{std::chrono::microseconds(int_of(row[0]))};
                      speeds.push_back(
                          {.ended = base::to_iso8601(at), .detail = std::move(*detail)});
                    }
                    return true;
                  }));
  return speeds;
}

ResultTable speed_table(const std::vector<StartSpeed>& speeds, Language language) {
  const Phrases& say = phrases_in(language);
  ResultTable table{.id = "speed",
                    .scenario = {},
                    .title = say("speed.title"),
                    .columns = {{.key = "ended", .title = say("speed.ended")},
                                {.key = "seconds", .title = say("speed.seconds")},
                                {.key = "bound_seconds", .title = say("speed.at_least")},
                                {.key = "fraction", .title = say("speed.of_bound")},
                                {.key = "decider", .title = say("speed.decider")}},
                    .rows = {},
                    .notes = {},
                    .language = language};
  const std::vector<std::string> reasons = reasons_of(speeds);
  for (const std::string& reason : reasons) {
    table.columns.push_back(
        {.key = reason, .title = say.find("speed.lost." + reason).value_or(reason)});
  }
  for (const StartSpeed& speed : speeds) {
    const json::Object* lost = json::get_object(speed.detail, "lost_seconds");
    Row row{.values = {text_value(speed.ended),
                       number_value(json::get_double(speed.detail, "seconds").value_or(0)),
                       number_value(json::get_double(speed.detail, "bound_seconds").value_or(0)),
                       share_value(json::get_double(speed.detail, "fraction").value_or(0)),
                       text_value(decider(speed.detail, say))},
            .marks = {}};
    for (const std::string& reason : reasons) {
      const auto seconds =
          lost == nullptr ? std::nullopt : json::get_double(json::Value(*lost), reason);
      row.values.push_back(seconds.has_value() ? number_value(*seconds) : Value{});
    }
    table.rows.push_back(std::move(row));
  }
  if (!speeds.empty()) {
    table.notes.push_back(say("speed.note"));
  }
  return table;
}

}  // namespace sortie::analysis
