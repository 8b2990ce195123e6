#include "sortie/spec/models.h"

#include "sortie/spec/load.h"
#include "sortie/spec/model.h"
#include "sortie/spec/test_samples.h"

#include <string>
#include <string_view>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace sortie::spec {
namespace {

std::string with(std::string_view models, std::string_view more = "", std::string_view name = "m") {
  return fmt::format(R"(version: 1
{}
models: {}
endpoints:
  e: {{dialect: openai, base_url: "https://h/v1", routes: ["{}"]}}
)",
                     more,
                     models,
                     name);
}

Model model_of(std::string_view name, std::string_view declared = "", std::string_view more = "") {
  const auto topology =
      parse_endpoints(with(fmt::format(R"({{"{}": {}}})", name, declared), more, name), "e.yaml");
  EXPECT_TRUE(topology) << topology.error().message;
  return topology ? topology->models[0] : Model{};
}

TEST(Capabilities, the_shipped_table_gives_a_model_its_defaults) {
  const Model model = model_of("DeepSeek-V3-0324");
  EXPECT_EQ(model.family, "deepseek");
  EXPECT_EQ(model.size_b, 671);
  EXPECT_EQ(model.context, 131'072);
  EXPECT_EQ(model.reasoning_field, "reasoning_content");
  EXPECT_TRUE(model.commands_from_reasoning);
  EXPECT_EQ(model.capability.token_limit_parameter, "max_completion_tokens");
  EXPECT_EQ(model.capability.temperature_min, 0.1);
  EXPECT_EQ(model.sampling.temperature, 0.6);
}

TEST(Capabilities, names_match_without_case_and_the_first_row_counts) {
  EXPECT_EQ(model_of("GPT-4O-MINI-2024-07-18").price.input, 0.15);
  EXPECT_EQ(model_of("gpt-4o-2024-08-06").price.input, 2.5);
  EXPECT_TRUE(model_of("gpt-4o").priced);
}

TEST(Capabilities, an_unknown_model_has_the_usual_ones) {
  const Model model = model_of("house-model");
  EXPECT_EQ(model.family, "");
  EXPECT_FALSE(model.priced);
  EXPECT_EQ(model.capability.token_limit_parameter, "max_tokens");
  EXPECT_EQ(model.sampling.max_tokens, 4'096);
}

TEST(Capabilities, what_the_file_says_of_a_model_goes_before_the_table) {
  const Model model = model_of("o3-0416-global",
                               "{family: mine, reasoning: false, parameters: {temperature: true, "
                               "seed: false}, price: {input: 1}}");
  EXPECT_EQ(model.family, "mine");
  EXPECT_TRUE(model.capability.accepts_temperature);
  EXPECT_FALSE(model.capability.accepts_top_p);  // still the table's
  EXPECT_FALSE(model.capability.accepts_seed);
  EXPECT_EQ(model.sampling.temperature, 0.6);
  EXPECT_EQ(model.sampling.max_tokens, 4'096);
  EXPECT_EQ(model.price.input, 1);
  EXPECT_EQ(model.price.output, 0);
}

TEST(Capabilities, rows_of_the_file_go_before_the_shipped_ones) {
  constexpr std::string_view kRows =
      "capabilities: [{match: ['gpt-4o*', 'house-*'], family: house, context: 1000}]";
  EXPECT_EQ(model_of("gpt-4o-mini", "", kRows).family, "house");
  const Model house = model_of("house-7b", "", kRows);
  EXPECT_EQ(house.family, "house");
  EXPECT_EQ(house.sampling.max_tokens, 1'000);  // never more than the context
  EXPECT_EQ(model_of("o3", "", kRows).family, "gpt");
}

TEST(Capabilities, mistakes_have_a_place) {
  EXPECT_NE(samples::endpoints_error(with("{m: }", "capabilities: [{match: m, contxt: 5}]"))
                .find("e.yaml:2:27: capabilities: unknown key 'contxt'; did you mean 'context'?"),
            std::string::npos);
  EXPECT_NE(samples::endpoints_error(with("{m: }", "capabilities: [{family: x}]")).find("match"),
            std::string::npos);
  EXPECT_NE(samples::endpoints_error(with("{m: {reasoning_field: thoughts}}"))
                .find("e.yaml:3:31: unknown reasoning_field 'thoughts'"),
            std::string::npos);
}

TEST(Capabilities, a_temperature_that_the_model_refuses_is_an_error) {
  EXPECT_NE(samples::endpoints_error(
                with("{DeepSeek-V3-0324: {sampling: {temperature: 0}}}", "", "DeepSeek-V3-0324"))
                .find("refuses temperatures below 0.1"),
            std::string::npos);
  EXPECT_EQ(samples::endpoints_error(
                with("{DeepSeek-V3-0324: {sampling: {temperature: 0.1}}}", "", "DeepSeek-V3-0324")),
            "");
}

TEST(Capabilities, more_tokens_than_the_context_holds_is_an_error) {
  EXPECT_NE(samples::endpoints_error(with("{m: {context: 2048, sampling: {max_tokens: 4096}}}"))
                .find("more than the model's context of 2048"),
            std::string::npos);
}

TEST(Capabilities, native_tools_are_asked_of_models_that_have_them) {
  const auto topology =
      parse_endpoints(with("{m: {parameters: {tools: false}}}"), "e.yaml").value();
  const auto campaign = [&](std::string_view protocol) {
    const auto parsed = parse_campaign(
        fmt::format("version: 1\nname: c\nmodels: [m]\nscenarios: [baseline]\nprotocol: {}\n",
                    protocol),
        "c.yaml",
        samples::suite_of_samples(),
        topology);
    return parsed ? "" : parsed.error().message;
  };
  EXPECT_EQ(campaign("text"), "");
  EXPECT_NE(campaign("native").find("'m' has none (e.yaml:3"), std::string::npos);
}

TEST(Capabilities, a_conversation_with_signed_parts_stays_in_one_dialect) {
  constexpr std::string_view kTwo = R"(version: 1
models: {{claude_sonnet4: {}}}
endpoints:
  a: {{dialect: anthropic, base_url: "https://a", routes: [claude_sonnet4]}}
  b: {{dialect: openai, base_url: "https://b/v1", routes: [claude_sonnet4]}}
)";
  EXPECT_NE(samples::endpoints_error(fmt::format(kTwo, "")).find("e.yaml:2:10: model"),
            std::string::npos);
  EXPECT_EQ(samples::endpoints_error(fmt::format(kTwo, "{parameters: {opaque_parts: false}}")), "");
}

TEST(EndpointsFile, reads_what_an_endpoint_says_of_its_dialect) {
  const auto topology = parse_endpoints(R"(version: 1
models: {m: }
endpoints:
  a: {dialect: azure, base_url: "https://t.openai.azure.com", api_version: 2025-01-01-preview, stream: true, routes: [m]}
  b: {dialect: openai, base_url: "https://h/v1", provider: glm, organization: org-1, project: p-1, routes: [m]}
  c: {dialect: openai, base_url: "https://h2/v1", routes: [m]}
)",
                                        "e.yaml");
  ASSERT_TRUE(topology) << topology.error().message;
  EXPECT_EQ(topology->endpoints[0].provider, "azure");
  EXPECT_EQ(topology->endpoints[0].api_version, "2025-01-01-preview");
  EXPECT_TRUE(topology->endpoints[0].stream);
  EXPECT_EQ(topology->endpoints[1].provider, "glm");
  EXPECT_EQ(topology->endpoints[1].organization, "org-1");
  EXPECT_EQ(topology->endpoints[2].provider, "");
  EXPECT_FALSE(topology->endpoints[2].stream);
  EXPECT_NE(samples::endpoints_error(
                "version: 1\nmodels: {m: }\nendpoints:\n  a: {dialect: openai, base_url: "
                "\"https://h/v1\", provider: azur, routes: [m]}\n")
                .find("did you mean 'azure'?"),
            std::string::npos);
}

}  // namespace
}  // namespace sortie::spec
