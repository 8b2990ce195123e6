#include "sortie/analysis/reused.h"

#include "sortie/analysis/cells.h"

#include <array>
#include <span>

#include <fmt/format.h>

namespace sortie::analysis {

base::Result<std::vector<ReusedLine>> read_reused(ledger::Reader& reader) {
  std::vector<ReusedLine> lines;
  TRY(reader.scan(
      "SELECT source_run, directory, source_mark, count(*), sum(attempts), sum(input_tokens), "
      "sum(output_tokens), sum(cost) FROM reuse GROUP BY source_run, directory, source_mark ORDER "
      "BY "
      "min(trial)",
      [&](std::span<const ledger::Cell> row) {
        lines.push_back({.run = text_of(row[0]),
                         .directory = text_of(row[1]),
                         .mark = text_of(row[2]),
                         .trials = static_cast<std::uint64_t>(int_of(row[3])),
                         .attempts = static_cast<std::uint64_t>(int_of(row[4])),
                         .input_tokens = int_of(row[5]),
                         .output_tokens = int_of(row[6]),
                         .cost = int_of(row[7])});
        return true;
      }));
  return lines;
}

ResultTable reused_table(const std::vector<ReusedLine>& lines, Language language) {
  const Phrases& say = phrases_in(language);
  ResultTable table{.id = "validity/reused",
                    .scenario = {},
                    .title = say("reused.title"),
                    .columns = {{.key = "directory", .title = say("reused.run")},
                                {.key = "trials", .title = say("reused.trials")},
                                {.key = "attempts", .title = say("reused.requests")},
                                {.key = "input_tokens", .title = say("column.tokens_in")},
                                {.key = "output_tokens", .title = say("column.tokens_out")},
                                {.key = "cost_usd", .title = say("reused.cost")},
                                {.key = "run", .title = say("reused.ledger")},
                                {.key = "mark", .title = say("reused.at")}},
                    .rows = {},
                    .notes = {say("reused.note")},
                    .language = language};
  for (const ReusedLine& line : lines) {
    table.rows.push_back(
        {.values = {text_value(line.directory),
                    count_value(line.trials),
                    count_value(line.attempts),
                    count_value(static_cast<std::uint64_t>(line.input_tokens)),
                    count_value(static_cast<std::uint64_t>(line.output_tokens)),
                    text_value(fmt::format("{:.4f}", static_cast<double>(line.cost) / 1e6)),
                    text_value(line.run),
                    text_value(line.mark)},
         .marks = {}});
  }
  return table;
}

json::Array to_json(const std::vector<ReusedLine>& lines) {
  json::Array array;
  for (const ReusedLine& line : lines) {
    array.push_back(json::Object{{"run", line.run},
                                 {"directory", line.directory},
                                 {"mark", line.mark},
                                 {"trials", line.trials},
                                 {"attempts", line.attempts},
                                 {"input_tokens", line.input_tokens},
                                 {"output_tokens", line.output_tokens},
                                 {"cost_micro_usd", line.cost}});
  }
  return array;
}

base::Result<std::optional<std::string>> origin_of(ledger::Reader& reader, std::int64_t trial) {
  std::optional<std::string> origin;
  const std::array parameters = {fmt::to_string(trial)};
  TRY(reader.scan("SELECT directory, source_trial FROM reuse WHERE trial = CAST(?1 AS INTEGER)",
                  parameters,
                  [&](std::span<const ledger::Cell> row) {
                    origin = fmt::format("{}, trial {} there", text_of(row[0]), int_of(row[1]));
                    return false;
                  }));
  return origin;
}

}  // namespace sortie::analysis
