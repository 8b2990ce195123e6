#include "sortie/analysis/duck.h"

#include "sortie/base/error.h"

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <variant>
#include <vector>

#include <dlfcn.h>
#include <duckdb.h>
#include <fmt/format.h>

namespace sortie::analysis {

namespace {

/// The functions of DuckDB's C interface that are used, found at run time.
struct Functions {
  decltype(&duckdb_open) open = nullptr;
  decltype(&duckdb_close) close = nullptr;
  decltype(&duckdb_connect) connect = nullptr;
  decltype(&duckdb_disconnect) disconnect = nullptr;
  decltype(&duckdb_query) query = nullptr;
  decltype(&duckdb_result_error) result_error = nullptr;
  decltype(&duckdb_destroy_result) destroy_result = nullptr;
  decltype(&duckdb_appender_create) appender_create = nullptr;
  decltype(&duckdb_appender_error) appender_error = nullptr;
  decltype(&duckdb_appender_end_row) appender_end_row = nullptr;
  decltype(&duckdb_appender_close) appender_close = nullptr;
  decltype(&duckdb_appender_destroy) appender_destroy = nullptr;
  decltype(&duckdb_append_null) append_null = nullptr;
  decltype(&duckdb_append_int64) append_int64 = nullptr;
  decltype(&duckdb_append_double) append_double = nullptr;
  decltype(&duckdb_append_varchar_length) append_varchar_length = nullptr;
};

struct CloseLibrary {
  void operator()(void* handle) const { dlclose(handle); }
};

using Library = std::unique_ptr<void, CloseLibrary>;

std::vector<std::string> candidates() {
  std::vector<std::string> paths;
  if (const char* named = std::getenv("SORTIE_DUCKDB")) {
    paths.push_back((std::filesystem::path(named) / "libduckdb.so").string());
  }
  std::error_code error;
  const auto binary = std::filesystem::read_symlink("/proc/self/exe", error);
  if (!error) {
    paths.push_back((binary.parent_path() / "lib" / "libduckdb.so").string());
    paths.push_back((binary.parent_path() / ".." / "lib" / "libduckdb.so").string());
  }
  paths.emplace_back(SORTIE_DUCKDB_BUILD_PATH);
  paths.emplace_back("libduckdb.so");
  return paths;
}

template <class Function>
bool find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  return function != nullptr;
}

bool find_all(void* library, Functions& f) {
  return find(library, "duckdb_open", f.open) && find(library, "duckdb_close", f.close) &&
         find(library, "duckdb_connect", f.connect) &&
         find(library, "duckdb_disconnect", f.disconnect) &&
         find(library, "duckdb_query", f.query) &&
         find(library, "duckdb_result_error", f.result_error) &&
         find(library, "duckdb_destroy_result", f.destroy_result) &&
         find(library, "duckdb_appender_create", f.appender_create) &&
         find(library, "duckdb_appender_error", f.appender_error) &&
         find(library, "duckdb_appender_end_row", f.appender_end_row) &&
         find(library, "duckdb_appender_close", f.appender_close) &&
         find(library, "duckdb_appender_destroy", f.appender_destroy) &&
         find(library, "duckdb_append_null", f.append_null) &&
         find(library, "duckdb_append_int64", f.append_int64) &&
         find(library, "duckdb_append_double", f.append_double) &&
         find(library, "duckdb_append_varchar_length", f.append_varchar_length);
}

std::unexpected<base::Error> duck_error(const std::string& what, const char* detail) {
  return base::failure(
      base::Remedy::fail_campaign,
      base::ErrorCode::io,
      fmt::format("DuckDB: {}: {}", what, detail == nullptr ? "no detail" : detail));
}

}  // namespace

struct Duck::State {
  Library library;
  Functions functions;
  duckdb_database database = nullptr;
  duckdb_connection connection = nullptr;
};

struct Duck::Loader::State {
  const Functions* functions = nullptr;
  duckdb_appender appender = nullptr;
  std::string table;
};

Duck::Duck(std::unique_ptr<State> state) : state_(std::move(state)) {}

Duck::~Duck() {
  state_->functions.disconnect(&state_->connection);
  state_->functions.close(&state_->database);
}

base::Result<std::unique_ptr<Duck>> Duck::open() {
  auto state = std::make_unique<State>();
  std::string tried;
  for (const std::string& path : candidates()) {
    state->library.reset(dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL));
    if (state->library != nullptr && find_all(state->library.get(), state->functions)) {
      break;
    }
    state->library.reset();
    tried += fmt::format("\n  {}", path);
  }
  if (state->library == nullptr) {
    return base::failure(
        base::Remedy::bad_input,
        base::ErrorCode::not_found,
        fmt::format(
            "exports need the DuckDB library and none was found; put libduckdb.so into lib/ "
            "beside the binary or name its folder with SORTIE_DUCKDB. Tried:{}",
            tried));
  }
  if (state->functions.open(nullptr, &state->database) != DuckDBSuccess) {
    return duck_error("cannot open a database in memory", nullptr);
  }
  if (state->functions.connect(state->database, &state->connection) != DuckDBSuccess) {
    state->functions.close(&state->database);
    return duck_error("cannot connect", nullptr);
  }
  return std::unique_ptr<Duck>(new Duck(std::move(state)));
}

base::Status Duck::execute(const std::string& sql) {
  duckdb_result result;
  const duckdb_state done = state_->functions.query(state_->connection, sql.c_str(), &result);
  base::Status status;
  if (done != DuckDBSuccess) {
    status = duck_error(sql, state_->functions.result_error(&result));
  }
  state_->functions.destroy_result(&result);
  return status;
}

base::Result<std::unique_ptr<Duck::Loader>> Duck::load(const std::string& table) {
  auto state = std::make_unique<Loader::State>();
  state->functions = &state_->functions;
  state->table = table;
  if (state_->functions.appender_create(
          state_->connection, nullptr, table.c_str(), &state->appender) != DuckDBSuccess) {
    auto error =
        duck_error("cannot load " + table, state_->functions.appender_error(state->appender));
    state_->functions.appender_destroy(&state->appender);
    return error;
  }
  return std::unique_ptr<Loader>(new Loader(std::move(state)));
}

Duck::Loader::Loader(std::unique_ptr<State> state) : state_(std::move(state)) {}

Duck::Loader::~Loader() {
  state_->functions->appender_destroy(&state_->appender);
}

base::Status Duck::Loader::append(std::span<const ledger::Cell> row) {
  const Functions& f = *state_->functions;
  bool good = true;
  for (const ledger::Cell& cell : row) {
    duckdb_state done = DuckDBError;
    if (std::holds_alternative<std::monostate>(cell)) {
      done = f.append_null(state_->appender);
    } else if (const auto* number = std::get_if<std::int64_t>(&cell)) {
      done = f.append_int64(state_->appender, *number);
    } else if (const auto* real = std::get_if<double>(&cell)) {
      done = f.append_double(state_->appender, *real);
    } else {
      const auto text = std::get<std::string_view>(cell);
      done = f.append_varchar_length(state_->appender, text.data(), text.size());
    }
    good = good && done == DuckDBSuccess;
  }
  if (!good || f.appender_end_row(state_->appender) != DuckDBSuccess) {
    return duck_error("cannot append to " + state_->table, f.appender_error(state_->appender));
  }
  return {};
}

base::Status Duck::Loader::finish() {
  if (state_->functions->appender_close(state_->appender) != DuckDBSuccess) {
    return duck_error("cannot load " + state_->table,
                      state_->functions->appender_error(state_->appender));
  }
  return {};
}

}  // namespace sortie::analysis
