#include "sortie/ledger/rows.h"

#include "sortie/base/hash.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace sortie::ledger {

void read_row(const Statement& statement, std::vector<Cell>& row, std::vector<std::string>& hex) {
  for (std::size_t i = 0; i < row.size(); ++i) {
    const int column = static_cast<int>(i);
    switch (statement.type(column)) {
      case ColumnType::null:
        row[i] = std::monostate();
        break;
      case ColumnType::integer:
        row[i] = statement.integer(column);
        break;
      case ColumnType::real:
        row[i] = statement.real(column);
        break;
      case ColumnType::text:
        row[i] = statement.bytes(column);
        break;
      case ColumnType::blob: {
        const std::string_view bytes = statement.bytes(column);
        if (bytes.size() == sizeof(base::Digest::bytes)) {
          hex[i] = statement.digest(column).hex();
          row[i] = std::string_view(hex[i]);
        } else {
          row[i] = bytes;
        }
        break;
      }
    }
  }
}

}  // namespace sortie::ledger
