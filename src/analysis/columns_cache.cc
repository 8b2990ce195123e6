#include "sortie/analysis/columns_cache.h"

#include "sortie/analysis/archive.h"
#include "sortie/analysis/cache_file.h"
#include "sortie/analysis/cells.h"

#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

namespace sortie::analysis {

// Structured bindings name every member: one that is added does not compile until it stands here.

template <class A>
void archive(A& a, FactSum& value) {
  auto& [m1, m2] = value;
  a(m1, m2);
}

template <class A>
void archive(A& a, RequestKind& value) {
  auto& [m1, m2, m3, m4, m5] = value;
  a(m1, m2, m3, m4, m5);
}

template <class A>
void archive(A& a, RequestSums& value) {
  auto& [m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17] = value;
  a(m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17);
}

template <class A>
void archive(A& a, AnswerCount& value) {
  auto& [m1, m2] = value;
  a(m1, m2);
}

template <class A>
void archive(A& a, Request& value) {
  auto& [m1,
         m2,
         m3,
         m4,
         m5,
         m6,
         m7,
         m8,
         m9,
         m10,
         m11,
         m12,
         m13,
         m14,
         m15,
         m16,
         m17,
         m18,
         m19,
         m20] = value;
  a(m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20);
}

template <class A>
void archive(A& a, PlayFactors& value) {
  auto& [m1, m2, m3, m4, m5, m6] = value;
  a(m1, m2, m3, m4, m5, m6);
}

namespace {

constexpr std::string_view kColumns = "columns.cache";
constexpr std::string_view kPlays = "plays.cache";

/// Columns are written anew when this part of the facts is new.
constexpr std::int64_t kNewPart = 20;

/// One column of a member of all rows.
template <class A, class Rows, class Member>
void column(A& a, Rows& rows, Member member) {
  a.column(
      rows.size(),
      [&](std::size_t i) { return static_cast<std::int64_t>(member(rows[i])); },
      [&](std::size_t i, std::int64_t value) {
        auto& place = member(rows[i]);
        place = static_cast<std::remove_reference_t<decltype(place)>>(value);
      });
}

/// Real numbers of which there are few different ones.
template <class A, class Rows, class Member>
void reals(A& a, Rows& rows, Member member) {
  std::vector<double> values;
  std::unordered_map<std::uint64_t, std::int64_t> numbers;
  std::vector<std::int64_t> codes(rows.size());
  if constexpr (std::is_same_v<A, ArchiveWriter>) {
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const double value = member(rows[i]);
      const auto [known, fresh] = numbers.try_emplace(std::bit_cast<std::uint64_t>(value),
                                                      static_cast<std::int64_t>(values.size()));
      if (fresh) {
        values.push_back(value);
      }
      codes[i] = known->second;
    }
  }
  a(values);
  column(a, codes, [](std::int64_t& code) -> std::int64_t& { return code; });
  if constexpr (std::is_same_v<A, ArchiveReader>) {
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const auto code = static_cast<std::size_t>(codes[i]);
      member(rows[i]) = code < values.size() ? values[code] : 0;
    }
  }
}

/// A row's bools, and which of its optional members it has.
std::int64_t bits_of(const TrialRow& row) {
  return (row.success ? 1 : 0) + (row.clean ? 2 : 0) + (row.partial ? 4 : 0) +
         (row.calls_per_answer ? 8 : 0) + (row.obedience ? 16 : 0) + (row.retry ? 32 : 0);
}

void set_bits(TrialRow& row, std::int64_t bits) {
  row.success = (bits & 1) != 0;
  row.clean = (bits & 2) != 0;
  row.partial = (bits & 4) != 0;
  if ((bits & 8) != 0) {
    row.calls_per_answer.emplace();
  }
  if ((bits & 16) != 0) {
    row.obedience.emplace();
  }
  if ((bits & 32) != 0) {
    row.retry.emplace();
  }
}

template <class A>
void archive_rows(A& a, std::vector<TrialRow>& rows) {
  a.column(
      rows.size(),
      [&](std::size_t i) { return bits_of(rows[i]); },
      [&](std::size_t i, std::int64_t bits) { set_bits(rows[i], bits); });
  column(a, rows, [](auto& row) -> auto& { return row.cell; });
  column(a, rows, [](auto& row) -> auto& { return row.task; });
  column(a, rows, [](auto& row) -> auto& { return row.repeat; });
  column(a, rows, [](auto& row) -> auto& { return row.turns; });
  column(a, rows, [](auto& row) -> auto& { return row.repaired; });
  column(a, rows, [](auto& row) -> auto& { return row.calls; });
  column(a, rows, [](auto& row) -> auto& { return row.calls_ok; });
  column(a, rows, [](auto& row) -> auto& { return row.injected; });
  column(a, rows, [](auto& row) -> auto& { return row.label; });
  reals(a, rows, [](auto& row) -> auto& { return row.progress; });
  reals(a, rows, [](auto& row) -> auto& { return row.coverage; });
  // What a row does not have is written into a place that nobody reads.
  double no_real = 0;
  ObedienceCounts no_obedience;
  RetryCounts no_retry;
  reals(a, rows, [&](auto& row) -> auto& {
    return row.calls_per_answer ? *row.calls_per_answer : (no_real = 0);
  });
  const auto obedience = [&](auto& row) -> auto& {
    return row.obedience ? *row.obedience : (no_obedience = {});
  };
  const auto retry = [&](auto& row) -> auto& { return row.retry ? *row.retry : (no_retry = {}); };
  column(a, rows, [&](auto& row) -> auto& { return obedience(row).flawed; });
  column(a, rows, [&](auto& row) -> auto& { return obedience(row).followed; });
  column(a, rows, [&](auto& row) -> auto& { return retry(row).same_call; });
  column(a, rows, [&](auto& row) -> auto& { return retry(row).other_arguments; });
  column(a, rows, [&](auto& row) -> auto& { return retry(row).other_tool; });
  column(a, rows, [&](auto& row) -> auto& { return retry(row).no_further_call; });
}

/// The number of rows, which both directions then have.
template <class A, class... Columns>
void archive_size(A& a, std::size_t size, Columns&... columns) {
  std::uint64_t count = size;
  a(count);
  if constexpr (std::is_same_v<A, ArchiveReader>) {
    (columns.resize(static_cast<std::size_t>(count)), ...);
  }
}

/// A map as pairs: its keys are structs.
template <class A, class Map>
void archive_map(A& a, Map& map) {
  std::vector<std::pair<typename Map::key_type, typename Map::mapped_type>> items;
  if constexpr (std::is_same_v<A, ArchiveWriter>) {
    items.assign(map.begin(), map.end());
  }
  a(items);
  if constexpr (std::is_same_v<A, ArchiveReader>) {
    map.insert(items.begin(), items.end());
  }
}

}  // namespace

template <class A>
void archive(A& a, TrialColumns& columns) {
  a(columns.scorer, columns.cells, columns.tasks, columns.task_types, columns.outcomes);
  a(columns.labels, columns.last_outcome, columns.last_score);
  archive_size(
      a, columns.ids.size(), columns.ids, columns.outcome, columns.has_score, columns.rows);
  // Less their position, of which most have the same difference.
  a.column(
      columns.ids.size(),
      [&](std::size_t i) { return columns.ids[i] - static_cast<std::int64_t>(i); },
      [&](std::size_t i, std::int64_t value) {
        columns.ids[i] = value + static_cast<std::int64_t>(i);
      });
  column(a, columns.outcome, [](auto& outcome) -> auto& { return outcome; });
  column(a, columns.has_score, [](auto& score) -> auto& { return score; });
  archive_rows(a, columns.rows);
}

template <class A>
void archive(A& a, RequestColumns& columns) {
  a(columns.routes, columns.models, columns.api_names, columns.served_models);
  archive_map(a, columns.sums);
  std::vector<std::pair<std::uint32_t, std::uint32_t>> served(columns.served.begin(),
                                                              columns.served.end());
  a(served);
  columns.served = {served.begin(), served.end()};
  std::vector<std::uint32_t> routes;
  for (const auto& [route, durations] : columns.durations) {
    routes.push_back(route);
  }
  a(routes);
  for (const std::uint32_t route : routes) {
    std::vector<std::int64_t>& durations = columns.durations[route];
    archive_size(a, durations.size(), durations);
    column(a, durations, [](auto& duration) -> auto& { return duration; });
  }
  a(columns.turns, columns.open, columns.last_attempt);
}

template <class A>
void archive(A& a, RunColumns& value) {
  auto& [m1, m2, m3, m4, m5, m6] = value;
  a(m1, m2, m3, m4, m5, m6);
}

template <class A>
void archive(A& a, Plays& value) {
  auto& [places, plays] = value;
  archive_size(a, places.size(), places, plays);
  column(a, places, [](auto& place) -> auto& { return place.task; });
  column(a, places, [](auto& place) -> auto& { return place.repeat; });
  column(a, plays, [](auto& play) -> auto& { return play.possible; });
  column(a, plays, [](auto& play) -> auto& { return play.success; });
  column(a, plays, [](auto& play) -> auto& { return play.flawed; });
  column(a, plays, [](auto& play) -> auto& { return play.followed; });
  column(a, plays, [](auto& play) -> auto& { return play.retry.same_call; });
  column(a, plays, [](auto& play) -> auto& { return play.retry.other_arguments; });
  column(a, plays, [](auto& play) -> auto& { return play.retry.other_tool; });
  column(a, plays, [](auto& play) -> auto& { return play.retry.no_further_call; });
}

base::Result<RunColumns> cached_columns(ledger::Reader& reader, const std::string& directory) {
  std::string run;
  TRY(reader.scan("SELECT key FROM run", [&](std::span<const ledger::Cell> row) {
    run = text_of(row[0]);
    return false;
  }));
  const base::Digest stamp = report_stamp("columns", run, "");
  std::optional<RunColumns> known;
  if (const auto body = load_cache(directory, kColumns, stamp)) {
    ArchiveReader archive(*body);
    archive(known.emplace());
    if (!archive.whole()) {
      known.reset();
    }
  }
  std::int64_t before = 0;
  if (known.has_value()) {
    before = known->total.facts;
    TRY_ASSIGN(const bool goes_on, read_on(reader, *known));
    if (!goes_on) {
      known.reset();
      before = 0;
    }
  }
  if (!known.has_value()) {
    TRY_ASSIGN(known, read_columns(reader));
  }
  if ((known->total.facts - before) * kNewPart >= known->total.facts) {
    ArchiveWriter archive;
    archive(*known);
    store_cache(directory, kColumns, stamp, archive.bytes());
  }
  return std::move(*known);
}

PlayBook load_plays(const std::string& directory, const std::string& about) {
  PlayBook book;
  if (const auto body = load_cache(directory, kPlays, report_stamp("plays", about, ""))) {
    ArchiveReader archive(*body);
    archive(book.tasks);
    archive_map(archive, book.plays);
    if (!archive.whole()) {
      book = {};
    }
  }
  return book;
}

void store_plays(const std::string& directory, const std::string& about, PlayBook& book) {
  ArchiveWriter archive;
  archive(book.tasks);
  archive_map(archive, book.plays);
  store_cache(directory, kPlays, report_stamp("plays", about, ""), archive.bytes());
}

}  // namespace sortie::analysis
