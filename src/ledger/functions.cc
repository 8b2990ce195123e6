#include "sortie/ledger/functions.h"

#include "sortie/base/error.h"
#include "sortie/base/hash.h"
#include "sortie/ledger/checksum.h"
#include "sortie/ledger/compression.h"
#include "sortie/ledger/schema.h"
#include "sortie/ledger/sqlite.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include <sqlite3.h>

namespace sortie::ledger {

namespace {

std::string_view bytes_of(sqlite3_value* value) {
  const void* data = sqlite3_value_blob(value);
  const auto size = static_cast<std::size_t>(sqlite3_value_bytes(value));
  return data != nullptr ? std::string_view(static_cast<const char*>(data), size)
                         : std::string_view();
}

void fail(sqlite3_context* context, std::string_view message) {
  sqlite3_result_error(context, message.data(), static_cast<int>(message.size()));
}

void content_digest(sqlite3_context* context, int /*count*/, sqlite3_value** values) {
  const auto content =
      decoded(bytes_of(values[0]), sqlite3_value_int64(values[1]), bytes_of(values[2]));
  if (!content) {
    sqlite3_result_null(context);
    return;
  }
  const base::Digest digest = base::digest_of(*content);
  sqlite3_result_blob(
      context, digest.bytes.data(), static_cast<int>(digest.bytes.size()), SQLITE_TRANSIENT);
}

void row_checksum(sqlite3_context* context, int count, sqlite3_value** values) {
  if (count < 1) {
    fail(context, "row_checksum() needs the name of a table");
    return;
  }
  const std::string_view name = bytes_of(values[0]);
  const auto table = std::ranges::find(kFactTables, name, &FactTable::name);
  const int added = table == kFactTables.end() ? 0 : table->added;
  Checksum sum(name);
  for (int i = 1; i < count; ++i) {
    switch (sqlite3_value_type(values[i])) {
      case SQLITE_INTEGER:
        sum.integer(sqlite3_value_int64(values[i]));
        break;
      case SQLITE_FLOAT:
        sum.real(sqlite3_value_double(values[i]));
        break;
      case SQLITE_TEXT:
        sum.text(bytes_of(values[i]));
        break;
      case SQLITE_BLOB:
        sum.blob(bytes_of(values[i]));
        break;
      default:
        i + added < count ? sum.null() : sum.null_if_followed();
        break;
    }
  }
  sqlite3_result_int64(context, sum.value());
}

// Prepared anew for every call: a statement kept over calls would have to end before the connection
// closes.
constexpr std::string_view kById = "SELECT encoding, size, content FROM message WHERE id = ?1";
constexpr std::string_view kByDigest =
    "SELECT encoding, size, content FROM message WHERE digest = ?1";

void return_row(sqlite3_context* context, sqlite3_stmt* statement) {
  const int code = sqlite3_step(statement);
  if (code == SQLITE_DONE) {
    sqlite3_result_null(context);
    return;
  }
  if (code != SQLITE_ROW) {
    sqlite3_result_error_code(context, code);
    return;
  }
  const auto content = decoded(bytes_of(sqlite3_column_value(statement, 0)),
                               sqlite3_column_int64(statement, 1),
                               bytes_of(sqlite3_column_value(statement, 2)));
  if (!content) {
    fail(context, "damaged message: " + content.error().message);
    sqlite3_result_error_code(context, SQLITE_CORRUPT);
    return;
  }
  sqlite3_result_text64(context, content->data(), content->size(), SQLITE_TRANSIENT, SQLITE_UTF8);
}

void message_text(sqlite3_context* context, int /*count*/, sqlite3_value** values) {
  if (sqlite3_value_type(values[0]) == SQLITE_NULL) {
    sqlite3_result_null(context);
    return;
  }
  const bool by_id = sqlite3_value_type(values[0]) == SQLITE_INTEGER;
  const std::string_view sql = by_id ? kById : kByDigest;
  std::string_view digest = by_id ? std::string_view() : bytes_of(values[0]);
  const auto from_hex = base::Digest::from_hex(digest);
  if (from_hex) {
    digest = blob_of(*from_hex);
  }
  sqlite3_stmt* handle = nullptr;
  const int code = sqlite3_prepare_v2(sqlite3_context_db_handle(context),
                                      sql.data(),
                                      static_cast<int>(sql.size()),
                                      &handle,
                                      nullptr);
  Statement statement(handle);
  if (code != SQLITE_OK) {
    sqlite3_result_error_code(context, code);
    return;
  }
  if (by_id) {
    statement.bind(1, static_cast<std::int64_t>(sqlite3_value_int64(values[0])));
  } else {
    statement.bind_blob(1, digest);
  }
  return_row(context, handle);
}

constexpr std::array<std::string_view, 7> kReadingPragmas = {"integrity_check",
                                                             "quick_check",
                                                             "foreign_key_check",
                                                             "table_info",
                                                             "table_xinfo",
                                                             "table_list",
                                                             "index_list"};

int authorize(void* /*unused*/,
              int action,
              const char* first,
              const char* second,
              const char* /*database*/,
              const char* /*source*/) {
  switch (action) {
    case SQLITE_SELECT:
    case SQLITE_READ:
    case SQLITE_TRANSACTION:  // Reader::begin; scan() takes no statement without columns
    case SQLITE_RECURSIVE:
      return SQLITE_OK;
    case SQLITE_FUNCTION:
      return std::string_view(second != nullptr ? second : "") == "load_extension" ? SQLITE_DENY
                                                                                   : SQLITE_OK;
    case SQLITE_PRAGMA:
      for (const std::string_view pragma : kReadingPragmas) {
        if (first != nullptr && pragma == first) {
          return SQLITE_OK;
        }
      }
      return SQLITE_DENY;
    default:
      return SQLITE_DENY;
  }
}

using Function = void (*)(sqlite3_context*, int, sqlite3_value**);

base::Status add(Connection& connection, const char* name, int arguments, Function function) {
  constexpr int kFlags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS;
  const int code = sqlite3_create_function_v2(
      connection.handle(), name, arguments, kFlags, nullptr, function, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) {
    return std::unexpected(sqlite_error(connection.handle(), code, name));
  }
  return {};
}

}  // namespace

base::Status add_functions(Connection& connection) {
  TRY(add(connection, "content_digest", 3, &content_digest));
  TRY(add(connection, "row_checksum", -1, &row_checksum));
  TRY(add(connection, "message_text", 1, &message_text));
  return {};
}

base::Status allow_only_reading(Connection& connection) {
  const int code = sqlite3_set_authorizer(connection.handle(), &authorize, nullptr);
  if (code != SQLITE_OK) {
    return std::unexpected(sqlite_error(connection.handle(), code, "cannot set the authorizer"));
  }
  return {};
}

}  // namespace sortie::ledger
