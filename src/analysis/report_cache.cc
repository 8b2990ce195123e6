#include "sortie/analysis/report_cache.h"

#include "sortie/analysis/archive.h"
#include "sortie/analysis/files.h"
#include "sortie/base/hash.h"
#include "sortie/base/json.h"

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
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
  auto& [m1, m2, m3, m4, m5, m6] = value;
  a(m1, m2, m3, m4, m5, m6);
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
void archive(A& a, Costs& value) {
  auto& [m1, m2, m3, m4] = value;
  a(m1, m2, m3, m4);
}

template <class A>
void archive(A& a, ReportData& value) {
  auto& [m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12] = value;
  a(m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12);
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

namespace fs = std::filesystem;

constexpr std::string_view kMagic = "sortie.report-cache.v1\n";

fs::path file_in(const std::string& directory) {
  return fs::path(directory) / "report.cache";
}

}  // namespace

base::Digest report_stamp(std::string_view name,
                          std::string_view run_key,
                          std::string_view high_water_mark) {
  // Another program may sum otherwise: its file stands for it.
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  const auto changed = fs::last_write_time(program, error).time_since_epoch().count();
  const auto size = fs::file_size(program, error);
  return base::FieldHasher("sortie.report-cache.v1")
      .field("name", name)
      .field("run", run_key)
      .field("mark", high_water_mark)
      .field("changed", static_cast<std::int64_t>(changed))
      .field("size", static_cast<std::int64_t>(size))
      .finish();
}

std::optional<ReportData> load_report(const std::string& directory, const base::Digest& stamp) {
  std::ifstream in(file_in(directory), std::ios::binary);
  if (!in) {
    return std::nullopt;
  }
  const std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  const std::string head = std::string(kMagic) + stamp.hex();
  constexpr std::size_t kHexDigits = 32;
  if (!text.starts_with(head) || text.size() < head.size() + kHexDigits) {
    return std::nullopt;
  }
  const std::string_view body = std::string_view(text).substr(head.size() + kHexDigits);
  if (base::digest_of(body).hex() != text.substr(head.size(), kHexDigits)) {
    return std::nullopt;
  }
  ReportData data;
  ArchiveReader reader(body);
  reader(data);
  return reader.whole() ? std::optional(std::move(data)) : std::nullopt;
}

void store_report(const std::string& directory, const base::Digest& stamp, const ReportData& data) {
  std::error_code error;
  fs::create_directories(directory, error);
  if (error) {
    return;
  }
  ArchiveWriter writer;
  ReportData copy = data;
  writer(copy);
  const std::string& body = writer.bytes();
  // Without it the next report takes longer, and nothing else.
  static_cast<void>(
      write_atomically(file_in(directory).string(),
                       std::string(kMagic) + stamp.hex() + base::digest_of(body).hex() + body)
          .has_value());
}

}  // namespace sortie::analysis
