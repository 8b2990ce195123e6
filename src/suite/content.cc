#include "sortie/suite/content.h"

#include "sortie/base/check.h"
#include "sortie/base/hash.h"
#include "sortie/base/json.h"
#include "sortie/base/random.h"
#include "sortie/base/text.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sortie::suite {

namespace {

using std::string_view;
using namespace std::string_view_literals;

constexpr std::size_t kRows = 10;

constexpr std::array kAreas = {"north"sv, "south"sv, "east"sv, "west"sv};
constexpr std::array kOrderStates = {"open"sv, "paid"sv, "shipped"sv, "returned"sv};
constexpr std::array kSites = {"alpha"sv, "bravo"sv, "delta"sv, "omega"sv};
constexpr std::array kHealth = {"normal"sv, "worn"sv, "faulty"sv};
constexpr std::array kCarriers = {"rail"sv, "road"sv, "sea"sv, "air"sv};
constexpr std::array kTeams = {"red"sv, "blue"sv, "green"sv, "amber"sv};
constexpr std::array kUrgencies = {"minor"sv, "major"sv, "critical"sv};
constexpr std::array kCurrencies = {"EUR"sv, "USD"sv, "GBP"sv, "JPY"sv};
constexpr std::array kWays = {"card"sv, "cash"sv, "transfer"sv};
constexpr std::array kDepots = {"harbor"sv, "central"sv, "uptown"sv};
constexpr std::array kClasses = {"fragile"sv, "chilled"sv, "regular"sv, "bulky"sv};
constexpr std::array kDepartments = {"sales"sv, "legal"sv, "design"sv, "support"sv};
constexpr std::array kGrades = {"junior"sv, "senior"sv, "lead"sv};
constexpr std::array kPlans = {"basic"sv, "plus"sv, "premium"sv};
constexpr std::array kCountries = {"france"sv, "japan"sv, "brazil"sv, "kenya"sv};
constexpr std::array kWards = {"cardiology"sv, "surgery"sv, "pediatrics"sv};
constexpr std::array kVenues = {"arena"sv, "theatre"sv, "garden"sv, "studio"sv};
constexpr std::array kFolders = {"drafts"sv, "final"sv, "review"sv};
constexpr std::array kOwners = {"ana"sv, "ben"sv, "chloe"sv, "deniz"sv};

constexpr std::array kOrders = {Field{"order_id", {}, 1, 0, 1},
                                Field{"region", kAreas, 0, 0, 1},
                                Field{"state", kOrderStates, 0, 0, 1},
                                Field{"quantity", {}, 1, 40, 1},
                                Field{"amount", {}, 20, 980, 10}};
constexpr std::array kSensors = {Field{"reading_id", {}, 1, 0, 1},
                                 Field{"site", kSites, 0, 0, 1},
                                 Field{"condition", kHealth, 0, 0, 1},
                                 Field{"humidity", {}, 20, 90, 1},
                                 Field{"temperature", {}, 4, 48, 0.5}};
constexpr std::array kShipments = {Field{"parcel_id", {}, 1, 0, 1},
                                   Field{"carrier", kCarriers, 0, 0, 1},
                                   Field{"area", kAreas, 0, 0, 1},
                                   Field{"weight", {}, 5, 240, 5},
                                   Field{"distance", {}, 50, 1900, 50}};
constexpr std::array kTickets = {Field{"case_id", {}, 1, 0, 1},
                                 Field{"team", kTeams, 0, 0, 1},
                                 Field{"urgency", kUrgencies, 0, 0, 1},
                                 Field{"replies", {}, 1, 25, 1},
                                 Field{"age_hours", {}, 2, 160, 2}};
constexpr std::array kPayments = {Field{"payment_id", {}, 1, 0, 1},
                                  Field{"currency", kCurrencies, 0, 0, 1},
                                  Field{"way", kWays, 0, 0, 1},
                                  Field{"fee", {}, 0.5, 12, 0.5},
                                  Field{"price", {}, 15, 750, 5}};
constexpr std::array kInventory = {Field{"item_id", {}, 1, 0, 1},
                                   Field{"depot", kDepots, 0, 0, 1},
                                   Field{"class", kClasses, 0, 0, 1},
                                   Field{"stock", {}, 3, 600, 3},
                                   Field{"unit_cost", {}, 2, 95, 0.5}};
constexpr std::array kEmployees = {Field{"person_id", {}, 1, 0, 1},
                                   Field{"department", kDepartments, 0, 0, 1},
                                   Field{"grade", kGrades, 0, 0, 1},
                                   Field{"tenure", {}, 1, 30, 1},
                                   Field{"salary", {}, 2100, 9400, 100}};
constexpr std::array kSubscriptions = {Field{"account_id", {}, 1, 0, 1},
                                       Field{"plan", kPlans, 0, 0, 1},
                                       Field{"country", kCountries, 0, 0, 1},
                                       Field{"seats", {}, 2, 90, 1},
                                       Field{"revenue", {}, 40, 4200, 20}};
constexpr std::array kAdmissions = {Field{"visit_id", {}, 1, 0, 1},
                                    Field{"ward", kWards, 0, 0, 1},
                                    Field{"urgency", kUrgencies, 0, 0, 1},
                                    Field{"nights", {}, 1, 21, 1},
                                    Field{"charge", {}, 180, 6400, 20}};
constexpr std::array kEvents = {Field{"event_id", {}, 1, 0, 1},
                                Field{"venue", kVenues, 0, 0, 1},
                                Field{"country", kCountries, 0, 0, 1},
                                Field{"guests", {}, 30, 900, 10},
                                Field{"turnover", {}, 500, 48000, 250}};
constexpr std::array kListing = {Field{"entry_id", {}, 1, 0, 1},
                                 Field{"folder", kFolders, 0, 0, 1},
                                 Field{"owner", kOwners, 0, 0, 1},
                                 Field{"age_days", {}, 1, 120, 1},
                                 Field{"size_kb", {}, 2, 840, 2}};

constexpr std::array kSubjects = {Subject{"orders", kOrders},
                                  Subject{"sensors", kSensors},
                                  Subject{"shipments", kShipments},
                                  Subject{"tickets", kTickets},
                                  Subject{"payments", kPayments},
                                  Subject{"inventory", kInventory},
                                  Subject{"employees", kEmployees},
                                  Subject{"subscriptions", kSubscriptions},
                                  Subject{"admissions", kAdmissions},
                                  Subject{"events", kEvents},
                                  Subject{"folder", kListing}};

constexpr std::array kKnownNames = {"latency_ms"sv,
                                    "error_rate"sv,
                                    "requests"sv,
                                    "cpu_load"sv,
                                    "interval"sv,
                                    "step"sv,
                                    "finding"sv,
                                    "score"sv,
                                    "low"sv,
                                    "mean"sv,
                                    "high"sv,
                                    "choice"sv,
                                    "cost"sv,
                                    "share"sv,
                                    "number"sv};

constexpr std::array kFormatNames = {""sv, "csv"sv, "json"sv, "xml"sv, "yaml"sv, "lines"sv};

double draw_cell(const Field& field, base::RandomStream& random) {
  if (!field.words.empty()) {
    return static_cast<double>(random.below(field.words.size()));
  }
  const auto steps = static_cast<std::uint64_t>((field.high - field.low) / field.step);
  return field.low + field.step * static_cast<double>(random.below(steps + 1));
}

}  // namespace

std::optional<std::size_t> Table::find(std::string_view column) const {
  const auto found = std::ranges::find(columns, column, &Column::name);
  if (found == columns.end()) {
    return std::nullopt;
  }
  return static_cast<std::size_t>(found - columns.begin());
}

std::optional<std::size_t> Table::measure() const {
  if (rows() == 0) {
    return std::nullopt;
  }
  for (std::size_t i = columns.size(); i > 0; --i) {
    if (columns[i - 1].numeric()) {
      return i - 1;
    }
  }
  return std::nullopt;
}

std::vector<double> Table::values(std::size_t column) const {
  std::vector<double> out;
  out.reserve(rows());
  for (std::size_t i = 0; i < rows(); ++i) {
    out.push_back(at(i, column));
  }
  return out;
}

void Table::append_row(std::span<const double> row) {
  CHECK(row.size() == columns.size());
  cells.insert(cells.end(), row.begin(), row.end());
}

json::Value Table::cell(std::size_t row, std::size_t column) const {
  const double value = at(row, column);
  if (columns[column].numeric()) {
    return value;
  }
  return json::Value(columns[column].words[static_cast<std::size_t>(value)]);
}

json::Object Table::row_object(std::size_t row) const {
  json::Object out;
  out.reserve(columns.size());
  for (std::size_t i = 0; i < columns.size(); ++i) {
    out.emplace(columns[i].name, cell(row, i));
  }
  return out;
}

json::Array Table::field_names() const {
  json::Array out;
  out.reserve(columns.size());
  for (const Column& column : columns) {
    out.emplace_back(column.name);
  }
  return out;
}

std::string Table::csv() const {
  std::string out;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    out += i == 0 ? "" : ",";
    out += columns[i].name;
  }
  out += '\n';
  for (std::size_t r = 0; r < rows(); ++r) {
    for (std::size_t i = 0; i < columns.size(); ++i) {
      out += i == 0 ? "" : ",";
      out += columns[i].numeric()
                 ? json::number_text(at(r, i))
                 : std::string(columns[i].words[static_cast<std::size_t>(at(r, i))]);
    }
    out += '\n';
  }
  return out;
}

std::string_view to_string(Format format) {
  return kFormatNames[static_cast<std::size_t>(format)];
}

Format format_from(std::string_view name) {
  const auto found = std::ranges::find(kFormatNames, name);
  return found == kFormatNames.end() ? Format::none
                                     : static_cast<Format>(found - kFormatNames.begin());
}

Format format_of_path(std::string_view path) {
  const std::size_t dot = path.rfind('.');
  return dot == std::string_view::npos ? Format::none : format_from(path.substr(dot + 1));
}

std::span<const Subject> subjects() {
  return kSubjects;
}

const Subject& listing_subject() {
  return kSubjects.back();
}

const Subject& subject_of(std::string_view source) {
  for (const std::string_view part : base::split(source, '/')) {
    const auto found = std::ranges::find(kSubjects, part, &Subject::name);
    if (found != kSubjects.end()) {
      return *found;
    }
  }
  return kSubjects.front();
}

Table source_table(std::string_view source, const Subject& subject) {
  base::RandomStream random(base::FieldHasher("sortie.source.v1").field("source", source).finish());
  Table table;
  table.columns.reserve(subject.fields.size());
  for (const Field& field : subject.fields) {
    table.columns.push_back(Column{.name = field.name, .words = field.words});
  }
  table.cells.reserve(kRows * subject.fields.size());
  const double first = 1000 + static_cast<double>(random.below(8000));
  for (std::size_t row = 0; row < kRows; ++row) {
    table.cells.push_back(first + static_cast<double>(row));
    for (const Field& field : subject.fields.subspan(1)) {
      table.cells.push_back(draw_cell(field, random));
    }
  }
  return table;
}

std::string_view known_name(std::string_view name) {
  const auto found = std::ranges::find(kKnownNames, name);
  return found == kKnownNames.end() ? "value" : *found;
}

double rounded(double value) {
  // Beyond this the fraction is noise and llround would overflow.
  if (!std::isfinite(value) || std::abs(value) > 1e12) {
    return value;
  }
  return static_cast<double>(std::llround(value * 10000)) / 10000;
}

}  // namespace sortie::suite
