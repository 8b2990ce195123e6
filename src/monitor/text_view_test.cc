#include "sortie/monitor/text_view.h"

#include "sortie/base/json.h"
#include "sortie/monitor/details.h"
#include "sortie/monitor/status_json.h"

#include <algorithm>
#include <string>

#include <gtest/gtest.h>

namespace sortie::monitor {
namespace {

engine::RunStatus busy() {
  engine::RunStatus status;
  status.run = "quickstart";
  status.elapsed = std::chrono::seconds(12);
  engine::ModelProgress model;
  model.model = "sim-large";
  model.simulated = true;
  model.planned = 100;
  model.scored = 50;
  model.lost = 2;
  model.running = 20;
  status.models.push_back(model);
  engine::RouteProgress route;
  route.route = "alpha/key-2/sim-large";
  route.usable = false;
  route.reason =
      "key rejected, which is a rather long reason that does not fit into the line any more";
  status.routes.push_back(route);
  status.problems.push_back(
      {.at = {},
       .text = "route alpha/key-2/sim-large taken out: 测试 the key was rejected by the server"});
  return status;
}

std::size_t characters(const std::string& line) {
  return static_cast<std::size_t>(std::ranges::count_if(
      line, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

TEST(TextView, shows_progress_routes_and_problems_within_eighty_columns) {
  const auto lines = render(busy(), Rates(), {.columns = 80});
  std::string all;
  for (const std::string& line : lines) {
    EXPECT_LE(characters(line), 80U) << line;
    all += line + "\n";
  }
  EXPECT_NE(all.find("[############x-----......]"), std::string::npos) << all;
  EXPECT_NE(all.find("OUT: key rejected"), std::string::npos) << all;
  EXPECT_NE(all.find("! route alpha/key-2"), std::string::npos) << all;
  EXPECT_NE(all.find("simulated"), std::string::npos) << all;
  EXPECT_EQ(all.find('\x1b'), std::string::npos);
}

TEST(TextView, colours_only_when_asked) {
  const auto lines = render(busy(), Rates(), {.columns = 80, .colour = true});
  EXPECT_TRUE(
      std::ranges::any_of(lines, [](const std::string& line) { return line.contains('\x1b'); }));
}

TEST(TextView, one_line_says_what_matters_in_a_pipe) {
  const std::string line = one_line(busy(), Rates());
  EXPECT_EQ(line.find('\n'), std::string::npos);
  EXPECT_NE(line.find("50/100 trials, 2 lost"), std::string::npos) << line;
}

TEST(Details, of_a_shared_limit_say_what_to_declare) {
  engine::RunStatus status = busy();
  engine::SharedLimit found;
  found.name = "a + b";
  found.members = {"a", "b"};
  found.subject = "key-1 and key-2 of alpha";
  found.declaration = {"keys:", "  key-1: {secret: …, account: alpha-shared}"};
  engine::SharedLimit over;
  over.name = "c + d";
  over.members = {"c", "d"};
  over.is_over = true;
  status.shared_limits = {found, over};
  const auto lines = details(status);
  const auto line = std::ranges::find_if(
      lines, [](const std::string& one) { return one.starts_with("key-1 and key-2 of alpha"); });
  ASSERT_LT(line, lines.end() - 2);
  EXPECT_EQ(line[1], "    keys:");
  EXPECT_EQ(line[2], "      key-1: {secret: …, account: alpha-shared}");
  EXPECT_EQ(shared_text({status.shared_limits[1]}), "");
  const json::Value document = to_json(status);
  const json::Array* shared = json::get_array(document, "shared_limits");
  ASSERT_NE(shared, nullptr);
  ASSERT_EQ(shared->size(), 2U);
  EXPECT_EQ(json::get_bool((*shared)[1], "over"), true);
}

}  // namespace
}  // namespace sortie::monitor
