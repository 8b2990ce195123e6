#include "sortie/base/json.h"
#include "sortie/chat/message.h"
#include "sortie/provider/dialect.h"
#include "sortie/spec/load.h"
#include "sortie/spec/model.h"
#include "sortie/wire/message.h"

#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

// golden/requests.json: what a request to every model of the reference campaigns has to look like,
// written from what their providers are known to take. Each goes through an endpoints file that
// says nothing of the model but its name.

namespace sortie::spec {
namespace {

json::Value goldens() {
  std::ifstream file(std::string(SORTIE_SOURCE_DIR) + "/src/spec/golden/requests.json");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  return json::parse(text).value();
}

std::string member(const json::Value& value, std::string_view name) {
  return std::string(json::get_string(value, name).value_or(""));
}

Topology topology_of(const json::Value& golden) {
  const auto topology = parse_endpoints(fmt::format(R"(version: 1
models: {{"{}": }}
endpoints:
  e:
    dialect: {}
    base_url: {}
    routes: [{{model: "{}", api_name: "{}"}}]
)",
                                                    member(golden, "model"),
                                                    member(golden, "dialect"),
                                                    member(golden, "base_url"),
                                                    member(golden, "model"),
                                                    member(golden, "api_name")),
                                        "e.yaml");
  EXPECT_TRUE(topology) << topology.error().message;
  return *topology;
}

TEST(GoldenRequests, every_model_of_the_reference_campaigns_gets_what_it_takes) {
  const json::Value all = goldens();
  ASSERT_GE(all.get_array().size(), 41U);
  const std::vector<chat::Message> messages = {{.role = chat::Role::system, .text = "Be brief."},
                                               {.role = chat::Role::user, .text = "Say hello."}};
  for (const json::Value& golden : all.get_array()) {
    const Topology topology = topology_of(golden);
    const Model& model = topology.models[0];
    provider::Call call = topology.call_over(topology.routes[0]);
    call.messages = &messages;
    call.sampling = model.sampling;
    call.sampling.seed = 7;
    const wire::Request request =
        provider::find_dialect(topology.endpoints[0].dialect)->encode(call);
    EXPECT_EQ(request.url, member(golden, "url"));
    EXPECT_EQ(json::canonical(json::parse(request.body).value()),
              json::canonical(*json::find(golden, "body")))
        << model.name;
  }
}

}  // namespace
}  // namespace sortie::spec
