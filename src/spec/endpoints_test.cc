#include "sortie/base/hash.h"
#include "sortie/base/time.h"
#include "sortie/quota/limit.h"
#include "sortie/spec/load.h"
#include "sortie/spec/model.h"
#include "sortie/spec/test_samples.h"
#include "sortie/wire/message.h"

#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace sortie::spec {

namespace {

using samples::endpoints_error;

constexpr std::string_view kFull = R"(version: 1
models:
  large:
    family: acme
    size_b: 72
    revision: "2026-01"
    reasoning: true
    commands_from_reasoning: true
    price: {input: 0.5, output: 1.5}
    sampling: {max_tokens: 8192, top_p: 0.9}
    parameters: {token_limit: max_completion_tokens, temperature: false, seed: false}
  thinker: {reasoning: true, price: {input: 2, output: 8, cached_input: 0.2}}
  plain:
endpoints:
  alpha:
    dialect: openai
    base_url: https://api.example.com/v1/
    connections_max: 64
    first_byte_timeout: 2m
    keys:
      key-1: {secret: env:KEY_1, account: a}
      key-2: file:keys/two
      key-3: cmd:[pass, "show it", key]
      key-4: {secret: {cmd: [pass, show]}, account: a}
    routes:
      - {model: large, api_name: large-v2, keys: [key-2, key-1], served_as: [large-v2, "large-*"]}
      - {model: plain, keys: key-3}
  local:
    dialect: openai
    base_url: http://localhost:8000/v1
    routes: [thinker]
)";

/// A valid file with one endpoint of two keys and two models, and what is put into it.
std::string with_endpoint_lines(std::string_view lines) {
  return fmt::format(R"(version: 1
models: {{m: , n: }}
endpoints:
  e:
    dialect: openai
    base_url: https://h/v1
    keys: {{k1: {{secret: env:A, account: acc}}, k2: {{secret: env:B, account: acc}}}}
    routes: [m, n]
{})",
                     lines);
}

std::string with_model(std::string_view model) {
  return fmt::format(R"(version: 1
models:
  m: {}
endpoints:
  e: {{dialect: openai, base_url: "https://h/v1", routes: [m]}}
)",
                     model);
}

std::string with_key(std::string_view key) {
  return fmt::format(R"(version: 1
models: {{m: }}
endpoints:
  e:
    dialect: openai
    base_url: https://h/v1
    keys:
      k: {}
    routes: [m]
)",
                     key);
}

std::string with_url(std::string_view url) {
  return fmt::format(R"(version: 1
models: {{m: }}
endpoints:
  e:
    dialect: openai
    base_url: {}
    keys: {{k: env:KEY}}
    routes: [m]
)",
                     url);
}

TEST(EndpointsFile, reads_models_with_their_sampling_resolved) {
  const auto topology = parse_endpoints(kFull, "e.yaml");
  ASSERT_TRUE(topology) << topology.error().message;
  ASSERT_EQ(topology->models.size(), 3U);
  const Model& large = topology->models[0];
  EXPECT_EQ(large.name, "large");
  EXPECT_EQ(large.family, "acme");
  EXPECT_EQ(large.revision, "2026-01");
  EXPECT_EQ(large.size_b, 72);
  EXPECT_TRUE(large.reasoning);
  EXPECT_TRUE(large.commands_from_reasoning);
  EXPECT_FALSE(large.simulated);
  EXPECT_EQ(large.capability.token_limit_parameter, "max_completion_tokens");
  EXPECT_FALSE(large.capability.accepts_temperature);
  EXPECT_TRUE(large.capability.accepts_top_p);
  EXPECT_FALSE(large.capability.accepts_seed);
  EXPECT_EQ(large.sampling,
            (chat::Sampling{.temperature = {}, .top_p = 0.9, .max_tokens = 8192, .seed = {}}));
  EXPECT_EQ(large.price.cached_input, 0.5) << "without a price of its own it costs like input";
  EXPECT_EQ(topology->models[1].sampling,
            (chat::Sampling{.temperature = 0.6, .top_p = 0.95, .max_tokens = 16384, .seed = {}}));
  EXPECT_EQ(topology->models[1].price.cached_input, 0.2);
  EXPECT_EQ(topology->models[2].sampling,
            (chat::Sampling{.temperature = 0.6, .top_p = 0.95, .max_tokens = 4096, .seed = {}}));
}

TEST(EndpointsFile, reads_endpoints_keys_and_routes) {
  const auto topology = parse_endpoints(kFull, "e.yaml");
  ASSERT_TRUE(topology) << topology.error().message;
  const Endpoint& alpha = topology->endpoints[0];
  EXPECT_EQ(alpha.base_url, "https://api.example.com/v1");
  EXPECT_EQ(alpha.access.connections_max, 64U);
  EXPECT_EQ(alpha.first_byte_seconds, 120);
  ASSERT_EQ(alpha.keys.size(), 4U);
  EXPECT_EQ(alpha.keys[0].account, "a");
  EXPECT_EQ(alpha.keys[0].secret.kind, SecretRef::Kind::env);
  EXPECT_EQ(alpha.keys[0].secret.target, "KEY_1");
  EXPECT_EQ(alpha.keys[0].secret.where.file, "e.yaml");
  EXPECT_EQ(alpha.keys[0].secret.where.line, 21);
  EXPECT_EQ(alpha.keys[0].secret.where.column, 23);
  EXPECT_EQ(alpha.keys[1].secret.kind, SecretRef::Kind::file);
  EXPECT_EQ(alpha.keys[1].secret.target, "keys/two");
  EXPECT_EQ(alpha.keys[2].secret.argv, (std::vector<std::string>{"pass", "show it", "key"}));
  EXPECT_EQ(alpha.keys[3].secret.argv, (std::vector<std::string>{"pass", "show"}));
  EXPECT_EQ(alpha.keys[3].account, "a");

  ASSERT_EQ(topology->routes.size(), 4U);
  const Route& route = topology->routes[0];
  EXPECT_EQ(route.name, "alpha/key-2/large-v2");
  EXPECT_EQ(route.key, 1U);
  EXPECT_EQ(route.model, 0U);
  EXPECT_EQ(route.api_name, "large-v2");
  EXPECT_EQ(route.served_as, (std::vector<std::string>{"large-v2", "large-*"}));
  EXPECT_EQ(topology->routes[2].name, "alpha/key-3/plain");
  EXPECT_EQ(topology->routes[3].name, "local/no-key/thinker");
  EXPECT_EQ(topology->endpoints[1].keys[0].secret.kind, SecretRef::Kind::none);
  EXPECT_EQ(topology->find_model("plain"), 2U);
  EXPECT_FALSE(topology->find_model("Plain"));
  EXPECT_EQ(topology->routes_of(0), (std::vector<std::size_t>{0, 1}));
  EXPECT_EQ(topology->file_hash, base::digest_of(kFull));
}

TEST(EndpointsFile, marks_models_of_simulated_endpoints) {
  const Topology topology = samples::topology();
  EXPECT_TRUE(topology.models[0].simulated);
  EXPECT_TRUE(topology.models[2].simulated);
}

TEST(EndpointsFile, accepts_anchors_and_merge_keys) {
  const auto topology = parse_endpoints(R"(version: 1
models:
  a: &common {family: f, size_b: 1, price: {input: 1, output: 2}}
  b: {<<: *common, size_b: 2}
endpoints:
  e: {dialect: openai, base_url: "http://[::1]:80/v1", keys: {k: "env:K"}, routes: [a, b]}
)",
                                        "e.yaml");
  ASSERT_TRUE(topology) << topology.error().message;
  EXPECT_EQ(topology->models[1].family, "f");
  EXPECT_EQ(topology->models[1].size_b, 2);
  EXPECT_EQ(topology->models[1].price.output, 2);
}

TEST(EndpointsFile, names_a_route_by_its_model_too_where_a_deployment_serves_two) {
  const auto topology = parse_endpoints(R"(version: 1
models: {cool: {sampling: {temperature: 0}}, warm: {sampling: {temperature: 1}}}
endpoints:
  e: {dialect: openai, base_url: "https://h", routes: [{model: cool, api_name: x}, {model: warm, api_name: x, served_as: x}]}
)",
                                        "e.yaml");
  ASSERT_TRUE(topology) << topology.error().message;
  EXPECT_EQ(topology->routes[0].name, "e/no-key/x");
  EXPECT_EQ(topology->routes[1].name, "e/no-key/x (warm)");
}

TEST(EndpointsFile, reports_all_problems_in_file_order) {
  EXPECT_EQ(endpoints_error(R"(version: 1
models:
  m: {sizeb: 3}
  n: {size_b: big}
endpoints:
  e:
    dialect: opnai
    base_url: https://h/v1
    routes: [x]
)"),
            "e.yaml:3:7: model 'm': unknown key 'sizeb'; did you mean 'size_b'?\n"
            "e.yaml:4:15: size_b: expected a number, found \"big\"\n"
            "e.yaml:7:14: unknown dialect 'opnai'; did you mean 'openai'?\n"
            "e.yaml:9:14: unknown model 'x'; did you mean 'm'?");
}

TEST(EndpointsFile, shows_ten_problems_at_most) {
  std::string text = "version: 1\nmodels:\n";
  for (int i = 0; i < 13; ++i) {
    text += fmt::format("  m{}: {{size_b: x}}\n", i);
  }
  const std::string error = endpoints_error(text + "endpoints: 1\n");
  EXPECT_TRUE(
      error.ends_with("e.yaml:12:16: size_b: expected a number, found \"x\"\ne.yaml: and 4 more"))
      << error;
}

TEST(EndpointsFile, says_what_is_wrong_at_the_top) {
  EXPECT_EQ(endpoints_error(""), "e.yaml:1:1: endpoints file: expected a mapping, found nothing");
  EXPECT_EQ(endpoints_error("- 1"), "e.yaml:1:1: endpoints file: expected a mapping, found a list");
  EXPECT_EQ(endpoints_error("models: {}"), "e.yaml:1:1: endpoints file: 'version' is missing");
  EXPECT_EQ(endpoints_error("version: 2"),
            "e.yaml:1:10: version: this program reads version 1, found 2");
  EXPECT_EQ(endpoints_error("version: \"1\""),
            "e.yaml:1:10: version: expected a whole number, found the quoted text \"1\"");
  EXPECT_EQ(endpoints_error("version: 1\nmodels: {m: }\nendpoint: {}"),
            "e.yaml:1:1: endpoints file: 'endpoints' is missing\n"
            "e.yaml:3:1: endpoints file: unknown key 'endpoint'; did you mean 'endpoints'?");
  EXPECT_EQ(endpoints_error("version: 1\nmodels: {}\nendpoints: []"),
            "e.yaml:2:9: models: expected a mapping of model names, found an empty one\n"
            "e.yaml:3:12: endpoints: expected a mapping of endpoint names, found a list");
}

TEST(EndpointsFile, refuses_values_out_of_range) {
  EXPECT_EQ(endpoints_error(with_model("{size_b: 0}")),
            "e.yaml:3:15: size_b: must be greater than 0 and at most 1000000, found 0");
  EXPECT_EQ(endpoints_error(with_model("{price: {input: -1}}")),
            "e.yaml:3:22: input: must be at least 0 and at most 1000000, found -1");
  EXPECT_EQ(endpoints_error(with_model("{sampling: {temperature: nan}}")),
            "e.yaml:3:31: temperature: expected a number, found \"nan\"");
  EXPECT_EQ(endpoints_error(with_model("{sampling: {top_p: 1.5}}")),
            "e.yaml:3:25: top_p: must be greater than 0 and at most 1, found 1.5");
  EXPECT_EQ(endpoints_error(with_model("{sampling: {max_tokens: 4e3}}")),
            "e.yaml:3:30: max_tokens: expected a whole number, found \"4e3\"");
  EXPECT_EQ(endpoints_error(with_model("{sampling: {max_tokens: 0}}")),
            "e.yaml:3:30: max_tokens: must be at least 1 and at most 10000000, found 0");
  EXPECT_EQ(endpoints_error(with_model("{reasoning: yes}")),
            "e.yaml:3:18: reasoning: expected true or false, found \"yes\"");
  EXPECT_EQ(endpoints_error(with_model("{revision: [1]}")),
            "e.yaml:3:17: revision: expected a text, found a list");
  EXPECT_EQ(endpoints_error(with_model("{revision: }")),
            "e.yaml:3:7: revision: expected a text, found nothing");
  EXPECT_EQ(endpoints_error(with_model("{parameters: {token_limit: max_token}}")),
            "e.yaml:3:33: unknown token_limit 'max_token'; did you mean 'max_tokens'?");
  EXPECT_EQ(endpoints_error(with_endpoint_lines("    connections_max: 0\n")),
            "e.yaml:9:22: connections_max: must be at least 1 and at most 65536, found 0");
  EXPECT_EQ(
      endpoints_error(with_endpoint_lines("    first_byte_timeout: 60\n")),
      "e.yaml:9:25: first_byte_timeout: expected a time such as 250ms, 10s, 5m or 24h (at most "
      "240h), found \"60\"");
}

TEST(EndpointsFile, reads_how_an_endpoint_is_reached) {
  const auto topology = parse_endpoints(
      with_endpoint_lines(
          "    http: http2\n    ca_file: ca/own.pem\n    proxy: http://proxy.example.com:3128\n"),
      "conf/e.yaml");
  ASSERT_TRUE(topology) << topology.error().message;
  const wire::Access& access = topology->endpoints[0].access;
  EXPECT_EQ(access.http, wire::Access::HttpVersion::http2);
  EXPECT_EQ(access.ca_file, "conf/ca/own.pem");
  EXPECT_EQ(access.proxy, "http://proxy.example.com:3128");
  const auto plain = parse_endpoints(with_endpoint_lines(""), "e.yaml");
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->endpoints[0].access.http, wire::Access::HttpVersion::automatic);
  EXPECT_EQ(plain->endpoints[0].access.ca_file + plain->endpoints[0].access.proxy, "");
}

TEST(EndpointsFile, refuses_ways_that_lead_nowhere) {
  EXPECT_EQ(endpoints_error(with_endpoint_lines("    http: http3\n")),
            "e.yaml:9:11: unknown HTTP version 'http3'; did you mean 'http1'?");
  EXPECT_EQ(endpoints_error(with_endpoint_lines("    proxy: proxy.example.com\n")),
            "e.yaml:9:12: proxy: expected none, http://HOST:PORT, https://HOST:PORT or "
            "socks5h://HOST:PORT");
  EXPECT_EQ(endpoints_error(with_endpoint_lines("    proxy: http://me:word@proxy\n")),
            "e.yaml:9:12: proxy: a user is not allowed in a file; leave proxy out and set "
            "HTTPS_PROXY in the environment");
}

TEST(EndpointsFile, refuses_a_value_for_a_parameter_that_the_model_refuses) {
  EXPECT_EQ(
      endpoints_error(with_model("{sampling: {temperature: 1}, parameters: {temperature: false}}")),
      "e.yaml:3:18: sampling: temperature has a value, but parameters say that the model refuses "
      "it");
}

TEST(EndpointsFile, refuses_duplicate_keys) {
  EXPECT_EQ(endpoints_error(R"(version: 1
models: {m: , "m": }
endpoints:
  e: {dialect: openai, base_url: "https://h/v1", routes: [m]}
)"),
            "e.yaml:2:15: duplicate key 'm', first in line 2");
}

TEST(EndpointsFile, refuses_names_that_could_not_be_typed) {
  const std::string expected =
      "a name here has 1 to 128 characters: letters, digits, and . _ - / : @ +; the first is no . "
      "or -";
  for (const std::string_view name : {"\"a b\"", "a,b", "-a", ".a", "\"\"", "ä"}) {
    const std::string error = endpoints_error(
        fmt::format("version: 1\nmodels:\n  {}: {{}}\nendpoints: {{e: {{}}}}\n", name));
    EXPECT_TRUE(error.starts_with("e.yaml:3:3: " + expected)) << name << ": " << error;
  }
}

TEST(EndpointsFile, refuses_urls_that_are_none_or_hold_secrets) {
  const std::string form =
      "e.yaml:6:15: base_url: expected http://host… or https://host…, such as "
      "https://api.example.com/v1";
  const std::string extra =
      "e.yaml:6:15: base_url: a user, a query or a fragment is not allowed; keys are named under "
      "keys:";
  EXPECT_EQ(endpoints_error(with_url("api.example.com")), form);
  EXPECT_EQ(endpoints_error(with_url("https://")), form);
  EXPECT_EQ(endpoints_error(with_url("ftp://h")), form);
  EXPECT_EQ(endpoints_error(with_url("https://a b")), form);
  EXPECT_EQ(endpoints_error(with_url("https://user:word@h/v1")), extra);
  EXPECT_EQ(endpoints_error(with_url("https://h/v1?key=1")), extra);
}

TEST(EndpointsFile, refuses_to_send_keys_in_plain_text_beyond_this_machine) {
  EXPECT_EQ(endpoints_error(with_url("http://example.com/v1")),
            "e.yaml:6:5: base_url: http:// would send the keys of 'e' in plain text to "
            "example.com; use https://");
  for (const std::string_view url :
       {"http://127.evil.example/v1", "http://127.0.0.1.example/v1", "http://10.0.0.1:80"}) {
    EXPECT_TRUE(endpoints_error(with_url(url)).contains("in plain text")) << url;
  }
  for (const std::string_view url : {"http://127.0.0.1:8000/v1",
                                     "http://LOCALHOST/v1",
                                     "'http://[::1]:8000/v1'",
                                     "https://example.com"}) {
    EXPECT_EQ(endpoints_error(with_url(url)), "") << url;
  }
}

TEST(EndpointsFile, never_shows_a_key_that_was_written_into_it) {
  const std::string expected =
      "e.yaml:8:10: secret: expected env:NAME, file:PATH, cmd:[program, argument, …] or none; the "
      "key itself never "
      "stands in a file";
  EXPECT_EQ(endpoints_error(with_key("sk-12345")), expected);
  EXPECT_EQ(endpoints_error(with_key("[sk-12345]")), expected);
  EXPECT_EQ(endpoints_error(with_key("env:sk-12345")),
            "e.yaml:8:10: secret: what follows env: is not the name of an environment variable");
  EXPECT_EQ(endpoints_error(with_key("{secret: sk-12345}")),
            "e.yaml:8:19: secret: expected env:NAME, file:PATH, cmd:[program, argument, …] or "
            "none; the key itself "
            "never stands in a file");
  EXPECT_EQ(endpoints_error(with_key("'file:'")), "e.yaml:8:10: secret: a path must follow file:");
  const std::string arguments =
      "e.yaml:8:10: cmd: expected a list of the program and its arguments, at most 64, such as "
      "[pass, show, key]";
  EXPECT_EQ(endpoints_error(with_key("cmd:pass show")), arguments);
  EXPECT_EQ(endpoints_error(with_key("cmd:[]")), arguments);
  EXPECT_EQ(endpoints_error(with_key("{cmd: pass}")), arguments);
  EXPECT_EQ(endpoints_error(with_key("cmd:[pass, [a]]")),
            "e.yaml:8:10: cmd: each argument must be a text");
  EXPECT_EQ(endpoints_error(with_key("cmd:[\"\"]")),
            "e.yaml:8:10: cmd: the program's name is empty");
  EXPECT_EQ(endpoints_error(with_key("{account: a}")), "e.yaml:8:10: key: 'secret' is missing");
  EXPECT_EQ(endpoints_error(with_key("{secret: none, acount: a}")),
            "e.yaml:8:25: key: unknown key 'acount'; did you mean 'account'?");
}

TEST(EndpointsFile, refuses_broken_routes) {
  const auto with_routes = [](std::string_view routes) {
    return fmt::format(R"(version: 1
models: {{m: }}
endpoints:
  e:
    dialect: openai
    base_url: https://h/v1
    keys: {{key-1: env:K}}
    routes: {}
)",
                       routes);
  };
  EXPECT_EQ(endpoints_error(with_routes("[]")),
            "e.yaml:8:13: routes: expected a list of models or routes, found an empty one");
  EXPECT_EQ(endpoints_error(with_routes("m")),
            "e.yaml:8:13: routes: expected a list of models or routes, found a text");
  EXPECT_EQ(endpoints_error(with_routes("[{api_name: x}]")),
            "e.yaml:8:14: route: 'model' is missing");
  EXPECT_EQ(endpoints_error(with_routes("[{model: m, keys: [key-2]}]")),
            "e.yaml:8:32: unknown key 'key-2'; did you mean 'key-1'?");
  EXPECT_EQ(endpoints_error(with_routes("[{model: m, keys: [key-1, key-1]}]")),
            "e.yaml:8:39: keys: 'key-1' stands here twice");
  EXPECT_EQ(endpoints_error(with_routes("[{model: m, served_as: []}]")),
            "e.yaml:8:36: served_as: the list is empty");
  EXPECT_EQ(endpoints_error(with_routes("[{model: m, api_name: ''}]")),
            "e.yaml:8:25: api_name: must not be empty");
  EXPECT_EQ(endpoints_error(with_routes("[m, {model: m}]")),
            "e.yaml:8:17: route: key 'key-1' already serves 'm' as 'm'");
}

TEST(EndpointsFile, refuses_to_send_another_models_name) {
  const auto with_route = [](std::string_view route) {
    return fmt::format(R"(version: 1
models: {{acme-7b: , acme-72b: , large: {{size_b: 72.7}}}}
endpoints:
  e:
    dialect: openai
    base_url: https://h/v1
    routes:
      - {{model: acme-72b, api_name: big}}
      - {}
)",
                       route);
  };
  EXPECT_EQ(
      endpoints_error(with_route("{model: acme-7b, api_name: Acme-72B}")),
      "e.yaml:9:26: route: sends 'Acme-72B' for 'acme-7b', which is what 'acme-72b' is served "
      "under; if that is meant, say which name the answers state: served_as: [Acme-72B]");
  EXPECT_EQ(endpoints_error(with_route("{model: acme-7b, api_name: big}")),
            "e.yaml:9:26: route: sends 'big' for 'acme-7b', which is what 'acme-72b' is served "
            "under; if that is meant, say which name the answers state: served_as: [big]");
  EXPECT_EQ(endpoints_error(with_route("{model: large, api_name: other-7B-chat}")),
            "e.yaml:9:24: route: sends 'other-7B-chat' for 'large', a model of 7 billion "
            "parameters by its name instead of 72.7; if that is meant, say which name the answers "
            "state: served_as: [other-7B-chat]");
  for (const char* fine : {"{model: acme-7b, api_name: Acme-72B, served_as: acme-7b}",
                           "{model: acme-7b, api_name: acme2.5-7.6b-chat-1B2}",
                           "{model: large, api_name: prod-8x7b}",
                           "{model: acme-7b, api_name: ACME-7B}"}) {
    EXPECT_TRUE(parse_endpoints(with_route(fine), "e.yaml").has_value()) << fine;
  }
}

TEST(EndpointsFile, refuses_a_model_that_is_simulated_here_and_real_there) {
  EXPECT_EQ(endpoints_error(R"(version: 1
models: {m: }
endpoints:
  real: {dialect: openai, base_url: "https://h", routes: [m]}
  fake: {dialect: openai, base_url: "https://i", routes: [m], simulated: true}
)"),
            "e.yaml:5:59: route: model 'm' is served by 'real', which is not simulated; give the "
            "simulated one a name of "
            "its own");
}

TEST(EndpointsFile, names_a_file_that_cannot_be_read) {
  EXPECT_EQ(load_endpoints("/nonexistent/e.yaml").error().message,
            "/nonexistent/e.yaml: cannot be read: No such file or directory");
  EXPECT_EQ(load_endpoints("/").error().message, "/: is a folder, expected a file");
  EXPECT_EQ(load_endpoints("/nonexistent/e.yaml").error().remedy, base::Remedy::bad_input);
}

TEST(EndpointsFile, is_read_from_disk_like_from_memory) {
  const std::string path = ::testing::TempDir() + "spec_endpoints_test.yaml";
  std::FILE* file = std::fopen(path.c_str(), "w");
  ASSERT_NE(file, nullptr);
  std::fputs(std::string(kFull).c_str(), file);
  std::fclose(file);
  const auto topology = load_endpoints(path);
  ASSERT_TRUE(topology) << topology.error().message;
  EXPECT_EQ(topology->file, path);
  EXPECT_EQ(topology->file_hash, base::digest_of(kFull));
  std::remove(path.c_str());
}

}  // namespace

}  // namespace sortie::spec
