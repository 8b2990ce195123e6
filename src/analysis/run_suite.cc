#include "sortie/analysis/run_suite.h"

#include "sortie/base/error.h"
#include "sortie/ledger/reader.h"
#include "sortie/suite/suite.h"
#include "sortie/suite/suite_text.h"

#include <expected>
#include <string_view>

#include <fmt/format.h>

namespace sortie::analysis {

base::Result<suite::Suite> suite_of(ledger::Reader& reader) {
  TRY_ASSIGN(const auto name, reader.manifest("suite"));
  if (!name.has_value() || *name == suite::kBuiltInSuite) {
    return suite::Suite::pilot();
  }
  TRY_ASSIGN(const auto text, reader.manifest("suite_text"));
  if (!text.has_value()) {
    return base::failure(
        base::Remedy::bad_input,
        base::ErrorCode::integrity,
        fmt::format("the run was made with suite '{}' and does not hold it", *name));
  }
  return suite::suite_from_text("the run's suite", *text);
}

}  // namespace sortie::analysis
