#include "sortie/analysis/own_tables.h"

#include "sortie/analysis/report.h"
#include "sortie/analysis/report_data.h"
#include "sortie/analysis/test_run.h"

#include <algorithm>
#include <string>

#include <gtest/gtest.h>

namespace sortie::analysis {
namespace {

TEST(OwnTables, show_every_cell_of_a_users_scenario_with_what_varies_in_it) {
  TestRun run;
  const auto shared = run.cell("m", "optimal", "baseline,my-sweep", 4);
  const auto own = run.cell("m", "baseline", "my-sweep", 10);
  for (int i = 0; i < 4; ++i) {
    run.scored(shared, "simple-" + std::to_string(i), true);
    run.scored(own, "simple-" + std::to_string(i), i < 2);
  }
  run.lost(own, "simple-4", "timeout");
  const auto data = collect_report(*run.reader());
  ASSERT_TRUE(data.has_value()) << data.error().message;
  const auto table = std::ranges::find(data->tables, "my-sweep/cells", &ResultTable::id);
  ASSERT_NE(table, data->tables.end());
  EXPECT_EQ(table->columns[1].key, "prompt");  // the only factor that varies
  EXPECT_EQ(table->columns[2].key, "n");
  ASSERT_EQ(table->rows.size(), 2U);
  const Row& plain = table->rows[0].values[1].text == "baseline" ? table->rows[0] : table->rows[1];
  const Row& optimal = &plain == &table->rows[0] ? table->rows[1] : table->rows[0];
  EXPECT_EQ(plain.values[2].first, 4);
  EXPECT_DOUBLE_EQ(plain.values[3].first, 0.5);
  EXPECT_DOUBLE_EQ(plain.values[5].first, 0.2);  // bounds, with six of ten missing
  EXPECT_DOUBLE_EQ(plain.values[5].second, 0.8);
  EXPECT_EQ(plain.marks, (std::vector<std::string>{"simulated", "incomplete"}));
  EXPECT_EQ(optimal.values[5].kind, Value::Kind::none);
  EXPECT_EQ(optimal.marks, (std::vector<std::string>{"simulated", "shared with baseline"}));
  for (const std::string& form :
       {to_text(*data), to_html(*data), json::to_text(tables_json(*data))}) {
    EXPECT_NE(form.find("Cells of my-sweep"), std::string::npos);
  }
  EXPECT_EQ(std::ranges::find(data->tables, "baseline/cells", &ResultTable::id),
            data->tables.end());
}

}  // namespace
}  // namespace sortie::analysis
