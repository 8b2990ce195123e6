#include "sortie/analysis/report_cache.h"

#include "sortie/analysis/archive.h"
#include "sortie/analysis/cache_file.h"
#include "sortie/base/hash.h"
#include "sortie/base/json.h"

#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace sortie::stats {

template <class A>
void archive(A& a, Interval& value) {
  auto& [low, high] = value;
  a(low, high);
}

}  // namespace sortie::stats

namespace sortie::analysis {

// Structured bindings name every member: one that is added does not compile until it stands here.

template <class A>
void archive(A& a, CellFactors& value) {
  auto& [m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11] = value;
  a(m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11);
}

template <class A>
void archive(A& a, Tally& value) {
  auto& [m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15] = value;
  a(m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15);
}

template <class A>
void archive(A& a, RepeatSummary& value) {
  auto& [m1, m2, m3] = value;
  a(m1, m2, m3);
}

template <class A>
void archive(A& a, CellSummary& value) {
  auto& [m1, m2, m3, m4, m5, m6, m7, m8] = value;
  a(m1, m2, m3, m4, m5, m6, m7, m8);
}

template <class A>
void archive(A& a, GroupSummary& value) {
  auto& [m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11] = value;
  a(m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11);
}

template <class A>
void archive(A& a, Summary& value) {
  auto& [m1, m2, m3, m4, m5] = value;
  a(m1, m2, m3, m4, m5);
}

template <class A>
void archive(A& a, SentParameters& value) {
  auto& [m1, m2, m3, m4, m5] = value;
  a(m1, m2, m3, m4, m5);
}

template <class A>
void archive(A& a, DeclaredModel& value) {
  auto& [m1, m2, m3] = value;
  a(m1, m2, m3);
}

template <class A>
void archive(A& a, Declared& value) {
  auto& [m1, m2, m3, m4, m5] = value;
  a(m1, m2, m3, m4, m5);
}

template <class A>
void archive(A& a, Value& value) {
  auto& [m1, m2, m3, m4] = value;
  a(m1, m2, m3, m4);
}

template <class A>
void archive(A& a, Column& value) {
  auto& [m1, m2] = value;
  a(m1, m2);
}

template <class A>
void archive(A& a, Row& value) {
  auto& [m1, m2] = value;
  a(m1, m2);
}

template <class A>
void archive(A& a, ResultTable& value) {
  auto& [m1, m2, m3, m4, m5, m6, m7] = value;
  a(m1, m2, m3, m4, m5, m6, m7);
}

template <class A>
void archive(A& a, AnswerCount& value) {
  auto& [m1, m2] = value;
  a(m1, m2);
}

template <class A>
void archive(A& a, RouteUse& value) {
  auto& [m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17] = value;
  a(m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17);
}

template <class A>
void archive(A& a, CellTimes& value) {
  auto& [m1, m2] = value;
  a(m1, m2);
}

template <class A>
void archive(A& a, CostLine& value) {
  auto& [m1, m2, m3, m4, m5, m6, m7, m8] = value;
  a(m1, m2, m3, m4, m5, m6, m7, m8);
}

template <class A>
void archive(A& a, ReusedLine& value) {
  auto& [m1, m2, m3, m4, m5, m6, m7, m8] = value;
  a(m1, m2, m3, m4, m5, m6, m7, m8);
}

template <class A>
void archive(A& a, Costs& value) {
  auto& [m1, m2, m3, m4] = value;
  a(m1, m2, m3, m4);
}

template <class A>
void archive(A& a, ReportData& value) {
  auto& [m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14] = value;
  a(m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14);
}

template <class A>
void archive(A& a, StartSpeed& value) {
  std::string text = json::to_text(value.detail);
  a(value.ended, text);
  if (auto detail = json::parse(text)) {
    value.detail = std::move(*detail);
  }
}

namespace {

constexpr std::string_view kName = "report.cache";

}  // namespace

std::optional<ReportData> load_report(const std::string& directory, const base::Digest& stamp) {
  const auto body = load_cache(directory, kName, stamp);
  if (!body.has_value()) {
    return std::nullopt;
  }
  ReportData data;
  ArchiveReader reader(*body);
  reader(data);
  return reader.whole() ? std::optional(std::move(data)) : std::nullopt;
}

void store_report(const std::string& directory, const base::Digest& stamp, const ReportData& data) {
  ArchiveWriter writer;
  ReportData copy = data;
  writer(copy);
  store_cache(directory, kName, stamp, writer.bytes());
}

}  // namespace sortie::analysis
