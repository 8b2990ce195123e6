#pragma once

#include "sortie/analysis/comparisons.h"
#include "sortie/analysis/phrases.h"
#include "sortie/analysis/result_table.h"
#include "sortie/analysis/scenario_tables.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// What the builders of the five scenarios' tables share. Only they include this.

namespace sortie::analysis {

/// One row about one model: its labels and the cells whose rates it shows, side by side.
struct Line {
  std::string model;
  bool simulated = false;
  std::vector<std::string> labels;
  std::vector<std::optional<std::size_t>> cells;
};

/// What a rate is called: "with_plan" in keys, "with plan" to people; the only one has no name.
struct RateName {
  std::string key;
  std::string title;
};

/// What a table of lines is made of.
struct LineLayout {
  std::string name;  // "cells"
  std::string title;
  std::vector<Column> labels;
  std::vector<RateName> rates;
};

/// A model with its cells in one scenario.
struct Entrant {
  std::string model;
  bool simulated = false;
  std::vector<std::size_t> cells;
};

/// One preset under one protocol.
class TableContext {
 public:
  TableContext(const TableInputs& inputs, std::string scenario, std::string protocol);

  [[nodiscard]] const RunRows& rows() const { return *inputs_.rows; }

  [[nodiscard]] const Declared& declared() const { return *inputs_.declared; }

  /// The words of the tables.
  [[nodiscard]] const Phrases& phrases() const { return phrases_in(inputs_.language); }

  [[nodiscard]] const CellSummary& cell(std::size_t index) const {
    return inputs_.summary->cells[index];
  }

  [[nodiscard]] const std::vector<ReferenceRates>& agents() const { return inputs_.agents; }

  /// What the agent achieved in the cell's setting; nullptr where it has no rate.
  [[nodiscard]] const ReferenceRate* rate_of(const ReferenceRates& agent,
                                             std::optional<std::size_t> cell) const;

  [[nodiscard]] const std::vector<Entrant>& entrants() const { return entrants_; }

  /// The run's cell with these factors, whatever scenario owns it.
  [[nodiscard]] std::optional<std::size_t> find(const CellFactors& factors) const;

  /// The cell that differs from this one in its prompt alone.
  [[nodiscard]] std::optional<std::size_t> with_prompt(std::size_t cell,
                                                       std::string_view prompt) const;

  /// A table whose first columns are the model, the labels, and for each rate: n, success, interval
  /// and, where a cell is not complete, its bounds.
  [[nodiscard]] ResultTable line_table(const LineLayout& layout) const;
  [[nodiscard]] Row row_of(const Line& line, const LineLayout& layout) const;

  /// Where the bounds of an incomplete cell's success stand: in a column of their own, or, in
  /// tables without one, in the mark.
  enum class Bounds : std::uint8_t { column, mark };

  /// Says of a cell whose numbers the row shows whether it is incomplete and with which other
  /// scenarios it is shared. `name` tells cells of one row apart; one may have no name.
  void add_marks(Row& row,
                 std::optional<std::size_t> cell,
                 const std::string& name,
                 Bounds bounds = Bounds::mark) const;

  /// A row for each scripted agent and each combination of labels that it has a rate for; columns
  /// beyond the rates stay empty.
  void append_agents(ResultTable& table, const std::vector<Line>& lines) const;

  /// Adjusts the p-values within their families. Empty families give no table.
  void append_comparisons(std::vector<ResultTable>& tables,
                          std::vector<FamilyMember>& members,
                          std::vector<std::string> notes) const;

  /// The mark "primary" if the campaign declared the family so, else "exploratory".
  [[nodiscard]] std::string status_of(const std::string& family) const;

  /// The agent as its rows name it.
  [[nodiscard]] std::string name_of(const ReferenceRates& agent) const;

  /// An empty table of this scenario with its id and title completed.
  [[nodiscard]] ResultTable table_named(const std::string& name, const std::string& title) const;

 private:
  using FactorKey = std::pair<std::string, Setting>;  // with the model
  [[nodiscard]] static FactorKey key_of(const CellFactors& factors);

  /// What one agent achieved under one combination of labels; n is 0 where it has no rate.
  struct AgentLine {
    std::vector<std::string> labels;
    std::vector<ReferenceCount> rates;
  };

  [[nodiscard]] std::vector<AgentLine> agent_lines(const ReferenceRates& agent,
                                                   const std::vector<Line>& lines) const;
  void add_rate(Row& row, std::optional<std::size_t> cell, const std::string& name) const;

  const TableInputs& inputs_;
  std::string scenario_;
  std::string protocol_;
  std::vector<Entrant> entrants_;
  std::map<FactorKey, std::size_t> by_factors_;
};

/// The two columns of rates of 5.1 and 5.2, by their place in Line::cells.
enum Side : std::uint8_t { with_plan, without_plan };

inline constexpr std::array<Side, 2> kSides = {with_plan, without_plan};

[[nodiscard]] std::string key_of(Side side);
[[nodiscard]] std::string title_of(Side side, const Phrases& say);
[[nodiscard]] RateName rate_name(Side side, const Phrases& say);

/// One column of a rate: "with_plan_n", "with plan: n".
[[nodiscard]] Column rate_column(const RateName& rate,
                                 std::string_view key,
                                 std::string title,
                                 const Phrases& say);

/// Models that compete with each other: at one difficulty, say.
class Contest {
 public:
  Contest(const TableContext& context, std::vector<Line> lines)
      : context_(context), lines_(std::move(lines)) {}

  [[nodiscard]] const std::vector<Line>& lines() const { return lines_; }

  /// Half of the models with a rate exceed 95 %: the column tells them apart no more. Simulated
  /// models count only where there are no others: they are not ranked, but a column of nothing else
  /// is judged too.
  [[nodiscard]] bool is_saturated(Side side) const;

  /// Without plan: 1 + the number of contestants with a higher rate. None for simulated models, and
  /// none where the column is saturated.
  [[nodiscard]] std::optional<std::size_t> rank_of(const Line& line) const;

 private:
  [[nodiscard]] std::optional<double> rate_of(const Line& line, Side side) const;

  const TableContext& context_;
  std::vector<Line> lines_;
};

/// A comparison of two cells of one run, to be added to a family.
[[nodiscard]] FamilyMember compared(const RunRows& rows, std::string family, CellPair cells);

void add_values(Row& row, std::span<const Value> values);

[[nodiscard]] std::vector<ResultTable> baseline_tables(const TableContext& context);
[[nodiscard]] std::vector<ResultTable> scale_tables(const TableContext& context);
[[nodiscard]] std::vector<ResultTable> flawed_tables(const TableContext& context);
[[nodiscard]] std::vector<ResultTable> reliability_tables(const TableContext& context);
[[nodiscard]] std::vector<ResultTable> prompts_tables(const TableContext& context);

}  // namespace sortie::analysis
