#include "sortie/spec/load.h"
#include "sortie/spec/model.h"
#include "sortie/spec/test_samples.h"

#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <gtest/gtest.h>

// What the documents and examples show must be valid.

namespace sortie::spec {

namespace {

std::string repository_file(const std::string& path) {
  std::ifstream stream(std::string(SORTIE_SOURCE_DIR) + "/" + path);
  EXPECT_TRUE(stream.good()) << path;
  return {std::istreambuf_iterator<char>(stream), {}};
}

/// The fenced YAML blocks of a document.
std::vector<std::string> yaml_blocks(const std::string& document) {
  const std::string open = "```yaml\n";
  std::vector<std::string> blocks;
  for (std::size_t at = document.find(open); at != std::string::npos;
       at = document.find(open, at)) {
    at += open.size();
    blocks.push_back(document.substr(at, document.find("```", at) - at));
  }
  return blocks;
}

TEST(Documents, show_valid_files) {
  const std::vector<std::string> blocks = yaml_blocks(repository_file("docs/reference/files.md"));
  ASSERT_EQ(blocks.size(), 2U);
  const auto topology = parse_endpoints(blocks[0], "files.md");
  ASSERT_TRUE(topology) << topology.error().message;
  EXPECT_EQ(topology->routes.size(), 6U);
  const auto campaign =
      parse_campaign(blocks[1], "files.md", samples::suite_of_samples(), *topology);
  ASSERT_TRUE(campaign) << campaign.error().message;
  EXPECT_EQ(campaign->cells.size(), (1 + 7 + 2 + 3 + 4) + (1 + 7 + 2 + 4));
}

TEST(Documents, have_examples_that_are_valid) {
  const auto topology =
      parse_endpoints(repository_file("examples/quickstart/endpoints.yaml"), "endpoints.yaml");
  ASSERT_TRUE(topology) << topology.error().message;
  const auto campaign = parse_campaign(repository_file("examples/quickstart/quickstart.yaml"),
                                       "quickstart.yaml",
                                       samples::suite_of_samples(),
                                       *topology);
  ASSERT_TRUE(campaign) << campaign.error().message;
  EXPECT_EQ(campaign->trial_count(), 300U);
}

}  // namespace

}  // namespace sortie::spec
