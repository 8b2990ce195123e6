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
  decltype(&duckdb_fetch_chunk) fetch_chunk = nullptr;
  decltype(&duckdb_destroy_data_chunk) destroy_data_chunk = nullptr;
  decltype(&duckdb_data_chunk_get_size) data_chunk_get_size = nullptr;
  decltype(&duckdb_data_chunk_get_vector) data_chunk_get_vector = nullptr;
  decltype(&duckdb_vector_get_data) vector_get_data = nullptr;
  decltype(&duckdb_vector_get_validity) vector_get_validity = nullptr;
  decltype(&duckdb_column_count) column_count = nullptr;
  decltype(&duckdb_column_type) column_type = nullptr;
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
         find(library, "duckdb_fetch_chunk", f.fetch_chunk) &&
         find(library, "duckdb_destroy_data_chunk", f.destroy_data_chunk) &&
         find(library, "duckdb_data_chunk_get_size", f.data_chunk_get_size) &&
         find(library, "duckdb_data_chunk_get_vector", f.data_chunk_get_vector) &&
         find(library, "duckdb_vector_get_data", f.vector_get_data) &&
         find(library, "duckdb_vector_get_validity", f.vector_get_validity) &&
         find(library, "duckdb_column_count", f.column_count) &&
         find(library, "duckdb_column_type", f.column_type) &&
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
    // Kept loaded: opening it again would cost half a second each time.
    state->library.reset(dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE));
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

struct Duck::Cursor::State {
  const Functions* functions = nullptr;
  duckdb_result result{};
  std::vector<duckdb_type> types;
  std::vector<ledger::Cell> row;
  duckdb_data_chunk chunk = nullptr;
  idx_t size = 0;
  idx_t position = 0;

  void drop_chunk() {
    if (chunk != nullptr) {
      functions->destroy_data_chunk(&chunk);
      chunk = nullptr;
    }
  }

  [[nodiscard]] bool fetch() {
    drop_chunk();
    chunk = functions->fetch_chunk(result);
    size = chunk == nullptr ? 0 : functions->data_chunk_get_size(chunk);
    position = 0;
    return size > 0;
  }

  [[nodiscard]] ledger::Cell cell(idx_t column) const {
    duckdb_vector vector = functions->data_chunk_get_vector(chunk, column);
    const std::uint64_t* validity = functions->vector_get_validity(vector);
    constexpr idx_t kBits = 64;
    if (validity != nullptr && ((validity[position / kBits] >> (position % kBits)) & 1U) == 0) {
      return std::monostate();
    }
    void* data = functions->vector_get_data(vector);
    switch (types[column]) {
      case DUCKDB_TYPE_BOOLEAN:
        return std::int64_t{static_cast<const bool*>(data)[position] ? 1 : 0};
      case DUCKDB_TYPE_DOUBLE:
        return static_cast<const double*>(data)[position];
      case DUCKDB_TYPE_VARCHAR: {
        const duckdb_string_t& text = static_cast<const duckdb_string_t*>(data)[position];
        constexpr std::uint32_t kInlined = 12;
        const std::uint32_t length = text.value.inlined.length;
        return std::string_view(
            length <= kInlined ? text.value.inlined.inlined : text.value.pointer.ptr, length);
      }
      default:
        return static_cast<const std::int64_t*>(data)[position];
    }
  }
};

Duck::Cursor::Cursor(std::unique_ptr<State> state) : state_(std::move(state)) {}

Duck::Cursor::~Cursor() {
  state_->drop_chunk();
  state_->functions->destroy_result(&state_->result);
}

const std::vector<ledger::Cell>* Duck::Cursor::next() {
  if (state_->position == state_->size && !state_->fetch()) {
    return nullptr;
  }
  for (idx_t column = 0; column < state_->row.size(); ++column) {
    state_->row[column] = state_->cell(column);
  }
  ++state_->position;
  return &state_->row;
}

base::Result<std::unique_ptr<Duck::Cursor>> Duck::query(const std::string& sql) {
  auto cursor = std::make_unique<Cursor::State>();
  cursor->functions = &state_->functions;
  const bool done =
      state_->functions.query(state_->connection, sql.c_str(), &cursor->result) == DuckDBSuccess;
  std::unique_ptr<Cursor> owner(new Cursor(std::move(cursor)));
  Cursor::State& state = *owner->state_;
  if (!done) {
    return duck_error(sql, state_->functions.result_error(&state.result));
  }
  state.row.resize(state_->functions.column_count(&state.result));
  for (idx_t column = 0; column < state.row.size(); ++column) {
    state.types.push_back(state_->functions.column_type(&state.result, column));
    const duckdb_type type = state.types.back();
    if (type != DUCKDB_TYPE_BIGINT && type != DUCKDB_TYPE_BOOLEAN && type != DUCKDB_TYPE_DOUBLE &&
        type != DUCKDB_TYPE_VARCHAR) {
      return duck_error(sql, "a column has a type that is not read here");
    }
  }
  return owner;
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
