#include "sortie/analysis/run_columns.h"

#include "sortie/analysis/cells.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>

#include <fmt/format.h>

namespace sortie::analysis {

namespace {

using ledger::Cell;

/// What the row `run` says.
struct Mark {
  std::string run;
  FactSum total;
};

base::Result<Mark> read_mark(ledger::Reader& reader) {
  Mark mark;
  TRY(reader.scan("SELECT key, facts, content FROM run", [&](std::span<const Cell> row) {
    mark.run = text_of(row[0]);
    mark.total = {.facts = int_of(row[1]), .content = static_cast<std::uint64_t>(int_of(row[2]))};
    return false;
  }));
  return mark;
}

base::Result<FactSum> sum_cells(ledger::Reader& reader) {
  FactSum sum;
  TRY(reader.scan("SELECT checksum FROM cell", [&](std::span<const Cell> row) {
    sum.add(int_of(row[0]));
    return true;
  }));
  return sum;
}

/// Of the tables that are not held.
base::Status sum_uncounted(ledger::Reader& reader, RunColumns& columns, FactSum& sum) {
  for (std::size_t i = 0; i < kUncounted.size(); ++i) {
    std::int64_t& last = columns.last_uncounted[i];
    TRY(reader.scan(fmt::format("SELECT {0}, checksum FROM {1} WHERE {0} > {2} ORDER BY {0}",
                                kUncounted[i].id,
                                kUncounted[i].name,
                                last),
                    [&](std::span<const Cell> row) {
                      last = int_of(row[0]);
                      sum.add(int_of(row[1]));
                      return true;
                    }));
  }
  return {};
}

}  // namespace

base::Result<RunColumns> read_columns(ledger::Reader& reader) {
  RunColumns columns;
  TRY_ASSIGN(Mark mark, read_mark(reader));
  columns.run = std::move(mark.run);
  columns.total = mark.total;
  TRY_ASSIGN(columns.cells, sum_cells(reader));
  for (std::size_t i = 0; i < kUncounted.size(); ++i) {
    TRY_ASSIGN(
        columns.last_uncounted[i],
        reader.count(fmt::format("SELECT max({}) FROM {}", kUncounted[i].id, kUncounted[i].name)));
  }
  FactSum sum;
  TRY(read_new_trials(reader, columns.trials, sum));
  TRY(read_new_requests(reader, columns.trials, columns.requests, sum));
  return columns;
}

base::Result<bool> read_on(ledger::Reader& reader, RunColumns& columns) {
  TRY_ASSIGN(const Mark mark, read_mark(reader));
  if (mark.run != columns.run || mark.total.facts < columns.total.facts) {
    return false;
  }
  FactSum sum = columns.total;
  TRY_ASSIGN(const bool same_scorer, read_new_trials(reader, columns.trials, sum));
  if (!same_scorer) {
    return false;
  }
  TRY(read_new_requests(reader, columns.trials, columns.requests, sum));
  TRY(sum_uncounted(reader, columns, sum));
  TRY_ASSIGN(const FactSum cells, sum_cells(reader));
  sum.facts += cells.facts - columns.cells.facts;
  sum.content += cells.content - columns.cells.content;
  columns.cells = cells;
  columns.total = mark.total;
  return sum.facts == mark.total.facts && sum.content == mark.total.content;
}

}  // namespace sortie::analysis
