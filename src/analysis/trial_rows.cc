#include "sortie/analysis/trial_rows.h"

#include "sortie/analysis/cells.h"
#include "sortie/analysis/trial_columns.h"
#include "sortie/base/text.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace sortie::analysis {

namespace {

using ledger::Cell;

PlannedCell planned_cell(std::span<const Cell> row) {
  PlannedCell cell;
  CellFactors& factors = cell.factors;
  factors.id = text_of(row[0]);
  factors.model = text_of(row[1]);
  factors.simulated = int_of(row[2]) != 0;
  for (const std::string_view scenario : base::split(text_of(row[3]), ',')) {
    factors.scenarios.emplace_back(scenario);
  }
  factors.prompt = text_of(row[4]);
  factors.flaw = text_of(row[5]);
  factors.severity = text_of(row[6]);
  factors.difficulty = text_of(row[7]);
  factors.protocol = text_of(row[8]);
  factors.tool_success_rate = double_of(row[9]);
  factors.max_turns = int_of(row[10]);
  cell.planned = static_cast<std::uint64_t>(int_of(row[11]));
  return cell;
}

base::Result<std::vector<PlannedCell>> read_cells(ledger::Reader& reader) {
  std::vector<PlannedCell> cells;
  TRY(
      reader.scan("SELECT id, model, simulated, scenarios, prompt, flaw, severity, difficulty, "
                  "protocol, tool_success_rate, max_turns, planned FROM cell WHERE planned > 0",
                  [&](std::span<const Cell> row) {
                    cells.push_back(planned_cell(row));
                    return true;
                  }));
  std::ranges::sort(cells, {}, [](const PlannedCell& cell) {
    const CellFactors& f = cell.factors;
    return std::tuple(f.model,
                      f.scenarios,
                      f.prompt,
                      f.severity,
                      f.difficulty,
                      f.protocol,
                      f.tool_success_rate,
                      f.id);
  });
  return cells;
}

/// Numbers of the columns' words in the order of RunRows, or kNone.
using Renumbering = std::vector<std::uint32_t>;

constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();

class Ordering {
 public:
  Ordering(const TrialColumns& columns, std::vector<PlannedCell> cells) : columns_(columns) {
    rows_.scorer = columns.scorer;
    rows_.labels = columns.labels.texts();
    rows_.cells = std::move(cells);
  }

  RunRows run() {
    number_cells();
    number_tasks();
    const std::vector<std::uint32_t> order = by_cell();
    rows_.rows.reserve(order.size());
    for (const PlannedCell& cell : rows_.cells) {
      append(std::span(order).subspan(cell.first_row, cell.row_count));
    }
    return std::move(rows_);
  }

 private:
  void number_cells() {
    std::map<std::string_view, std::uint32_t> known;
    for (std::size_t i = 0; i < rows_.cells.size(); ++i) {
      known.emplace(rows_.cells[i].factors.id, static_cast<std::uint32_t>(i));
    }
    for (const std::string& id : columns_.cells.texts()) {
      const auto found = known.find(id);
      cells_.push_back(found == known.end() ? kNone : found->second);
    }
  }

  void number_tasks() {
    std::map<std::string, std::uint32_t> strata;
    for (const std::string& type : columns_.task_types) {
      strata.emplace(type, 0);
    }
    std::uint32_t next = 0;
    for (auto& [type, stratum] : strata) {
      stratum = next++;
    }
    std::map<std::string_view, std::size_t> sorted;
    for (std::size_t i = 0; i < columns_.task_types.size(); ++i) {
      sorted.emplace(columns_.tasks.texts()[i], i);
    }
    tasks_.resize(columns_.task_types.size());
    for (const auto& [id, i] : sorted) {
      tasks_[i] = static_cast<std::uint32_t>(rows_.tasks.size());
      const std::string& type = columns_.task_types[i];
      rows_.tasks.push_back({.id = std::string(id), .type = type, .stratum = strata.at(type)});
    }
  }

  /// Positions of the trials that count, cell after cell; what the others were lost to is counted.
  std::vector<std::uint32_t> by_cell() {
    std::vector<std::uint32_t> counted;
    for (std::size_t i = 0; i < columns_.rows.size(); ++i) {
      const std::uint32_t number = cells_[columns_.rows[i].cell];
      if (number == kNone || columns_.outcome[i] == 0) {
        continue;
      }
      PlannedCell& cell = rows_.cells[number];
      if (!columns_.is_scored(i)) {
        ++cell.lost[columns_.outcomes.text(columns_.outcome[i] - 1)];
      } else if (columns_.has_score[i] != 0) {
        ++cell.row_count;
        counted.push_back(static_cast<std::uint32_t>(i));
      }
    }
    std::vector<std::size_t> next;
    std::size_t first = 0;
    for (PlannedCell& cell : rows_.cells) {
      cell.first_row = first;
      next.push_back(first);
      first += cell.row_count;
    }
    std::vector<std::uint32_t> order(counted.size());
    for (const std::uint32_t position : counted) {
      order[next[cells_[columns_.rows[position].cell]]++] = position;
    }
    return order;
  }

  /// The trials of one cell by task and repeat.
  void append(std::span<const std::uint32_t> positions) {
    struct Keyed {
      std::uint32_t task;
      std::uint32_t position;
      std::int64_t repeat;

      auto operator<=>(const Keyed& other) const {
        return std::tuple(task, repeat, position) <=>
               std::tuple(other.task, other.repeat, other.position);
      }
    };

    std::vector<Keyed> keyed;
    keyed.reserve(positions.size());
    for (const std::uint32_t position : positions) {
      const TrialRow& row = columns_.rows[position];
      keyed.push_back({.task = tasks_[row.task], .position = position, .repeat = row.repeat});
    }
    std::ranges::sort(keyed, [](const Keyed& a, const Keyed& b) { return a < b; });
    for (const Keyed& trial : keyed) {
      TrialRow& row = rows_.rows.emplace_back(columns_.rows[trial.position]);
      row.cell = cells_[row.cell];
      row.task = trial.task;
    }
  }

  const TrialColumns& columns_;
  RunRows rows_;
  Renumbering cells_;
  Renumbering tasks_;
};

}  // namespace

base::Result<RunRows> rows_of(ledger::Reader& reader, const TrialColumns& columns) {
  TRY_ASSIGN(std::vector<PlannedCell> cells, read_cells(reader));
  return Ordering(columns, std::move(cells)).run();
}

base::Result<RunRows> read_rows(ledger::Reader& reader) {
  TrialColumns columns;
  FactSum sum;
  TRY(read_new_trials(reader, columns, sum));
  return rows_of(reader, columns);
}

}  // namespace sortie::analysis
