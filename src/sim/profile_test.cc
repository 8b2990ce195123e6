#include "sortie/sim/profile.h"

#include "sortie/base/error.h"
#include "sortie/http/certificate.h"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace sortie::sim {
namespace {

constexpr std::string_view kComplete = R"(version: 1
seed: 7
providers:
  alpha:
    listen: 127.0.0.1:18801
    token_bias: -0.1
    models:
      sim-large:
        skill: 0.95
        served_as: sim-large-2026
        ttft_ms: {median: 150, sigma: 0.3}
        ms_per_output_token: 2
        price_input: 0.5
        price_output: 1.5
      sim-odd:
        skill: {profile: medium, search: 1}
    keys:
      key-1: {key: secret-1, account: a}
      key-2: {key: secret-2}
    limits:
      - {name: rpm, requests_per_minute: 600, enforced_over: 1s, shape: fixed_aligned}
      - {name: tpm, tokens_per_minute: 90000, cost: input_and_max_tokens, settle: at_end, per: [account, model],
         models: [sim-large], headers: false}
      - {name: slots, concurrency: 8, per: provider, release_grace: 500ms}
      - {name: burst, requests: 3, window: 10s, shape: token_bucket, burst: 2, keys: key-2, refused_count: true}
    faults:
      - {kind: http_500, probability: 0.01}
      - {kind: key_revoked, keys: [key-2], from_request: 50}
      - {kind: wrong_model, from_request: 10, until_request: 20, served_as: tiny}
  beta:
    listen: 127.0.0.1:0
    models:
      plain: {skill: perfect}
)";

Profile parsed(std::string_view text) {
  auto profile = parse_profile("p.yaml", text);
  EXPECT_TRUE(profile.has_value()) << (profile ? "" : profile.error().message);
  return profile ? std::move(*profile) : Profile{};
}

TEST(Profile, reads_models_and_keys) {
  const Profile profile = parsed(kComplete);
  EXPECT_EQ(profile.seed, 7U);
  ASSERT_EQ(profile.providers.size(), 2U);
  const ProviderProfile& alpha = profile.providers[0];
  EXPECT_EQ(alpha.name, "alpha");
  EXPECT_EQ(alpha.host, "127.0.0.1");
  EXPECT_EQ(alpha.port, 18801);
  EXPECT_DOUBLE_EQ(alpha.token_bias, -0.1);
  ASSERT_EQ(alpha.models.size(), 2U);
  EXPECT_EQ(alpha.models[0].served_as, "sim-large-2026");
  EXPECT_DOUBLE_EQ(alpha.models[0].ttft_ms.median, 150);
  EXPECT_DOUBLE_EQ(alpha.models[0].ttft_ms.sigma, 0.3);
  EXPECT_DOUBLE_EQ(alpha.models[0].ms_per_output_token.median, 2);
  EXPECT_DOUBLE_EQ(alpha.models[0].skill.misread, Skill::of(0.95).misread);
  EXPECT_DOUBLE_EQ(alpha.models[1].skill.search, 1);
  EXPECT_DOUBLE_EQ(alpha.models[1].skill.misread, Skill::named("medium")->misread);
  ASSERT_EQ(alpha.keys.size(), 2U);
  EXPECT_EQ(alpha.keys[0].secret.reveal(), "secret-1");
  EXPECT_EQ(alpha.keys[0].account, "a");
  EXPECT_TRUE(profile.providers[1].keys.empty());
}

TEST(Profile, reads_limits) {
  const ProviderProfile alpha = parsed(kComplete).providers.at(0);
  ASSERT_EQ(alpha.limits.size(), 4U);
  const LimitProfile& rpm = alpha.limits[0];
  EXPECT_EQ(rpm.dimension, Dimension::requests);
  EXPECT_EQ(rpm.shape, Shape::fixed_aligned);
  EXPECT_EQ(rpm.enforced_over, std::chrono::seconds(1));
  EXPECT_TRUE(rpm.per_key && rpm.headers);
  const LimitProfile& tpm = alpha.limits[1];
  EXPECT_EQ(tpm.dimension, Dimension::tokens);
  EXPECT_EQ(tpm.cost, TokenCost::input_and_max_tokens);
  EXPECT_EQ(tpm.settle, Settle::at_end);
  EXPECT_TRUE(tpm.per_account && tpm.per_model);
  EXPECT_FALSE(tpm.per_key || tpm.headers);
  const LimitProfile& slots = alpha.limits[2];
  EXPECT_EQ(slots.dimension, Dimension::concurrency);
  EXPECT_FALSE(slots.per_key || slots.per_account || slots.per_model);
  EXPECT_EQ(slots.release_grace, std::chrono::milliseconds(500));
  const LimitProfile& burst = alpha.limits[3];
  EXPECT_EQ(burst.window, std::chrono::seconds(10));
  EXPECT_DOUBLE_EQ(burst.burst, 2);
  EXPECT_TRUE(burst.refused_count);
  EXPECT_EQ(burst.keys, std::vector<std::string>{"key-2"});
}

TEST(Profile, reads_faults) {
  const ProviderProfile alpha = parsed(kComplete).providers.at(0);
  ASSERT_EQ(alpha.faults.size(), 3U);
  EXPECT_EQ(alpha.faults[0].kind, FaultKind::http_500);
  EXPECT_DOUBLE_EQ(alpha.faults[0].probability, 0.01);
  EXPECT_EQ(alpha.faults[1].from_request, 50U);
  EXPECT_DOUBLE_EQ(alpha.faults[1].probability, 1);
  EXPECT_EQ(alpha.faults[2].until_request, 20U);
  EXPECT_EQ(alpha.faults[2].served_as, "tiny");
}

std::string error_of(std::string_view provider_lines) {
  const std::string text = "version: 1\nproviders:\n  alpha:\n" + std::string(provider_lines);
  const auto profile = parse_profile("p.yaml", text);
  EXPECT_FALSE(profile.has_value()) << text;
  if (profile.has_value()) {
    return {};
  }
  EXPECT_EQ(profile.error().remedy, base::Remedy::bad_input);
  return profile.error().message;
}

bool is_accepted(const std::string& provider_lines) {
  const auto profile =
      parse_profile("p.yaml", "version: 1\nproviders:\n  alpha:\n" + provider_lines);
  EXPECT_TRUE(profile.has_value()) << profile.error().message;
  return profile.has_value();
}

constexpr std::string_view kMinimal = "    listen: 127.0.0.1:1\n    models: {m: {skill: 1}}\n";

TEST(Profile, names_the_folder_of_the_suite_that_its_models_know) {
  const std::string providers =
      "providers: {p: {listen: '127.0.0.1:0', models: {m: {skill: 1}}}}\n";
  const auto own = parse_profile("folder/p.yaml", "version: 1\nsuite: orders\n" + providers);
  ASSERT_TRUE(own) << own.error().message;
  EXPECT_EQ(own->suite, "folder/orders");
  EXPECT_EQ(parse_profile("folder/p.yaml", "version: 1\nsuite: pilot/1\n" + providers)->suite, "");
  EXPECT_EQ(parse_profile("folder/p.yaml", "version: 1\n" + providers)->suite, "");
}

TEST(Profile, errors_say_where_and_what_was_meant) {
  const std::string minimal(kMinimal);
  EXPECT_TRUE(error_of(minimal + "    limit: []\n").starts_with("p.yaml:6:5: "));
  EXPECT_NE(error_of(minimal + "    limit: []\n").find("limits"), std::string::npos);
  EXPECT_NE(
      error_of(minimal + "    limits: [{requests_per_minute: 5, shape: slidng}]\n").find("sliding"),
      std::string::npos);
  EXPECT_NE(error_of(minimal + "    faults: [{kind: http_501}]\n").find("http_500"),
            std::string::npos);
  EXPECT_NE(error_of(minimal + "    faults: [{kind: reset, models: [n]}]\n").find("'n'"),
            std::string::npos);
  EXPECT_NE(error_of("    listen: 127.0.0.1\n    models: {m: {skill: 1}}\n").find("HOST:PORT"),
            std::string::npos);
  EXPECT_NE(error_of("    listen: 127.0.0.1:1\n    models: {m: {skill: mediun}}\n").find("medium"),
            std::string::npos);
  EXPECT_NE(
      error_of("    listen: 127.0.0.1:1\n    models: {m: {skill: 1.5}}\n").find("p.yaml:5:25"),
      std::string::npos);
}

TEST(Profile, a_limit_has_exactly_one_quota) {
  const std::string minimal(kMinimal);
  EXPECT_NE(error_of(minimal + "    limits: [{name: x}]\n").find("exactly one"), std::string::npos);
  EXPECT_NE(error_of(minimal + "    limits: [{requests_per_minute: 1, tokens_per_minute: 1}]\n")
                .find("exactly one"),
            std::string::npos);
  EXPECT_NE(error_of(minimal + "    limits: [{requests: 1}]\n").find("window"), std::string::npos);
}

TEST(Profile, content_faults_cannot_depend_on_order_or_key) {
  const std::string minimal(kMinimal);
  EXPECT_NE(error_of(minimal + "    faults: [{kind: empty_answer, from_request: 5}]\n")
                .find("part of a dialogue"),
            std::string::npos);
}

TEST(Profile, faults_of_connections_last_a_while_and_befall_everybody) {
  const std::string minimal(kMinimal);
  EXPECT_TRUE(is_accepted(minimal + "    faults: [{kind: black_hole, from: 1s, until: 2s}]\n"));
  for (const std::string_view key :
       {"probability: 0.5", "from_request: 2", "until_request: 2", "models: [m]"}) {
    const std::string said =
        error_of(minimal + fmt::format("    faults: [{{kind: black_hole, {}}}]\n", key));
    EXPECT_TRUE(said.starts_with("p.yaml:6:33: ")) << said;
    EXPECT_NE(said.find("from and until"), std::string::npos) << said;
  }
  EXPECT_NE(error_of(minimal + "    faults: [{kind: stall, from: 1s}]\n").find("from_request"),
            std::string::npos);
  EXPECT_NE(error_of(minimal + "    faults: [{kind: black_hole, from: 2s, until: 1s}]\n")
                .find("after `from`"),
            std::string::npos);
  EXPECT_NE(error_of(minimal + "    faults: [{kind: slow_handshake}]\n").find("needs `tls:`"),
            std::string::npos);
}

TEST(Profile, tls_needs_a_certificate_with_its_key_or_none) {
  const auto folder =
      std::filesystem::temp_directory_path() / fmt::format("sortie_profile_test_{}", ::getpid());
  std::filesystem::create_directories(folder);
  const http::Authority authority("profile test");
  const http::TlsIdentity one = authority.issue({"localhost"});
  const http::TlsIdentity other = authority.issue({"localhost"});
  const auto write = [&](const char* name, const std::string& text) {
    std::ofstream(folder / name) << text;
    return (folder / name).string();
  };
  const std::string certificate = write("certificate.pem", one.certificate);
  const std::string key = write("key.pem", one.key.reveal());
  const std::string other_key = write("other.pem", other.key.reveal());
  const std::string cut = write("cut.pem", one.certificate.substr(0, one.certificate.size() / 2));
  const auto lines = [](const std::string& first, const std::string& second) {
    return std::string(kMinimal) +
           fmt::format("    tls:\n      certificate: {}\n      key: {}\n", first, second);
  };
  const auto said = [&](const std::string& first, const std::string& second) {
    return error_of(lines(first, second));
  };
  EXPECT_TRUE(is_accepted(lines(certificate, key)));
  const std::string missing = said("nowhere.pem", key);
  EXPECT_TRUE(missing.starts_with("p.yaml:7:20: certificate: ")) << missing;
  EXPECT_NE(missing.find("nowhere.pem"), std::string::npos) << missing;
  EXPECT_EQ(said(key, key),
            "p.yaml:7:20: certificate: expected certificates in PEM (-----BEGIN CERTIFICATE-----), "
            "found none");
  EXPECT_EQ(said(cut, key), "p.yaml:7:20: certificate: certificate 1 cannot be read");
  EXPECT_EQ(said(certificate, other_key),
            "p.yaml:8:12: key: the key is not that of the certificate");
  EXPECT_EQ(said(certificate, certificate),
            "p.yaml:8:12: key: expected a private key in PEM, without a password");
  EXPECT_TRUE(is_accepted(std::string(kMinimal) + "    tls: {throw_away: ca.pem}\n"));
  for (const std::string_view wrong : {"{}", "{certificate: a}", "{throw_away: a, key: b}"}) {
    const std::string text = error_of(std::string(kMinimal) + fmt::format("    tls: {}\n", wrong));
    EXPECT_NE(text.find("throw_away: FILE"), std::string::npos) << text;
  }
  std::filesystem::remove_all(folder);
}

TEST(Profile, a_missing_secret_is_an_error_without_its_value) {
  const std::string text =
      std::string(kMinimal) + "    keys: {k: {key: env:SORTIE_SIM_TEST_NOT_SET}}\n";
  EXPECT_NE(error_of(text).find("SORTIE_SIM_TEST_NOT_SET"), std::string::npos);
}

TEST(Profile, a_missing_secret_is_placed_once) {
  EXPECT_EQ(error_of(std::string(kMinimal) + "    keys: {k: {key: env:SORTIE_NO_SUCH_KEY}}\n"),
            "p.yaml:6:21: the environment variable SORTIE_NO_SUCH_KEY is not set; "
            "first run: export SORTIE_NO_SUCH_KEY=…");
}

TEST(Skill, every_chance_of_error_falls_as_the_level_rises) {
  const Skill low = Skill::of(0.3);
  const Skill high = Skill::of(0.8);
  EXPECT_GT(low.misread, high.misread);
  EXPECT_GT(low.misread_with_plan, high.misread_with_plan);
  EXPECT_GT(low.gullibility, high.gullibility);
  EXPECT_GT(low.format.total(), high.format.total());
  EXPECT_GT(low.early_finish, high.early_finish);
  EXPECT_LT(low.repair, high.repair);
  EXPECT_LT(low.retry.same, high.retry.same);
}

TEST(Skill, perfect_never_errs) {
  const Skill perfect = Skill::of(1);
  EXPECT_EQ(perfect.misread + perfect.misread_with_plan + perfect.gullibility +
                perfect.format.total() + perfect.early_finish,
            0);
  EXPECT_EQ(perfect.repair, 1);
  EXPECT_EQ(perfect.retry.same, 1);
  EXPECT_FALSE(Skill::named("superb").has_value());
  for (const std::string& name : Skill::names()) {
    EXPECT_TRUE(Skill::named(name).has_value()) << name;
  }
}

TEST(FaultKind, names_and_kinds_are_one_to_one) {
  for (const std::string& name : fault_kind_names()) {
    const auto kind = fault_kind_from(name);
    ASSERT_TRUE(kind.has_value());
    EXPECT_EQ(to_string(*kind), name);
  }
}

}  // namespace
}  // namespace sortie::sim
