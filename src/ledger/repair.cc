#include "sortie/ledger/repair.h"

#include "sortie/base/error.h"
#include "sortie/base/time.h"
#include "sortie/ledger/file.h"
#include "sortie/ledger/ledger.h"
#include "sortie/ledger/pages.h"
#include "sortie/ledger/reader.h"
#include "sortie/ledger/wal.h"

#include <algorithm>
#include <cstdint>
#include <expected>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace sortie::ledger {

namespace fs = std::filesystem;

namespace {

std::unexpected<base::Error> beyond_repair(std::string_view damage) {
  return base::failure(
      base::Remedy::fail_campaign,
      base::ErrorCode::integrity,
      fmt::format("this is no torn tail, and no repair: {}. Restore the run from a copy", damage));
}

/// What is torn, as far as a copy can mend it; empty: nothing. Errors: damage of other kinds.
base::Result<std::string> torn_parts(const std::string& database, const WalReport& log) {
  if (log.loss == WalLoss::certain) {
    return beyond_repair(log.damage);
  }
  TRY_ASSIGN(const PageReport pages, examine_pages(database));
  if (!std::ranges::includes(log.pages, pages.damaged)) {
    return beyond_repair(
        "pages of the file do not match their checksums, and the log does not "
        "hold them anew");
  }
  std::string torn = log.damage;
  if (!pages.damaged.empty()) {
    torn += fmt::format("{}{} pages were torn while the log was copied over them",
                        torn.empty() ? "" : "; ",
                        pages.damaged.size());
  }
  return torn;
}

/// Nobody of this process has the files open: a copy made of them drops no lock.
base::Status copy_files(const std::string& database,
                        const std::string& copy,
                        const WalReport& log) {
  std::error_code error;
  fs::copy_file(database, copy, error);
  if (!error && log.committed_bytes > 0) {
    fs::copy_file(database + "-wal", copy + "-wal", error);
    if (!error) {
      fs::resize_file(copy + "-wal", log.committed_bytes, error);
    }
  }
  if (error) {
    return base::io_error(fmt::format("cannot copy {} to {}", database, copy), error.value());
  }
  return {};
}

base::Status prove(const std::string& out) {
  TRY_ASSIGN(const auto reader, Reader::open(out));
  TRY_ASSIGN(const auto checks, verify(*reader));
  for (const Check& check : checks) {
    if (!check.ok) {
      return beyond_repair(
          fmt::format("the copy in {} fails {}: {}", out, check.name, check.detail));
    }
  }
  return {};
}

}  // namespace

base::Result<Repair> repair_to(const std::string& run_directory, const std::string& out) {
  const std::string database = ledger_path(run_directory);
  TRY_ASSIGN(const auto log, examine_log(run_directory));
  if (!log) {
    return base::failure(base::Remedy::retry_later,
                         base::ErrorCode::locked,
                         fmt::format("{} is being written", run_directory));
  }
  Repair repair{.frames_kept = log->committed, .damage = {}};
  TRY_ASSIGN(repair.damage, torn_parts(database, *log));
  if (repair.damage.empty()) {
    return repair;
  }
  std::error_code error;
  if (fs::exists(out, error)) {
    return base::bad_input(fmt::format("{} is there already: choose another directory", out));
  }
  TRY(make_run_directory(out));
  TRY(copy_files(database, ledger_path(out), *log));
  // Opening takes the log in.
  TRY(Ledger::open(out, {}, nullptr));
  TRY(prove(out));
  return repair;
}

}  // namespace sortie::ledger
