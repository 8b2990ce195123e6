#include "sortie/analysis/files.h"
#include "sortie/app/command.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <filesystem>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

// The files of src/app/templates and examples/pilot, linked into the binary.
extern "C" {
extern const char sortie_template_campaign_begin[];
extern const char sortie_template_campaign_end[];
extern const char sortie_template_endpoints_begin[];
extern const char sortie_template_endpoints_end[];
extern const char sortie_template_pilot_endpoints_begin[];
extern const char sortie_template_pilot_endpoints_end[];
extern const char sortie_pilot_all_begin[];
extern const char sortie_pilot_all_end[];
extern const char sortie_pilot_closed_begin[];
extern const char sortie_pilot_closed_end[];
extern const char sortie_pilot_paper_begin[];
extern const char sortie_pilot_paper_end[];
extern const char sortie_template_openai_begin[];
extern const char sortie_template_openai_end[];
extern const char sortie_template_azure_begin[];
extern const char sortie_template_azure_end[];
extern const char sortie_template_anthropic_begin[];
extern const char sortie_template_anthropic_end[];
extern const char sortie_template_gemini_begin[];
extern const char sortie_template_gemini_end[];
extern const char sortie_template_gateway_begin[];
extern const char sortie_template_gateway_end[];
extern const char sortie_template_own_suite_campaign_begin[];
extern const char sortie_template_own_suite_campaign_end[];
extern const char sortie_template_own_suite_endpoints_begin[];
extern const char sortie_template_own_suite_endpoints_end[];
extern const char sortie_template_own_suite_provider_begin[];
extern const char sortie_template_own_suite_provider_end[];
extern const char sortie_template_own_suite_suite_begin[];
extern const char sortie_template_own_suite_suite_end[];
extern const char sortie_template_scale_up_begin[];
extern const char sortie_template_scale_up_end[];
extern const char sortie_template_scale_up_campaign_begin[];
extern const char sortie_template_scale_up_campaign_end[];
}

namespace sortie::app {

namespace {

struct InitOptions {
  std::string directory = ".";
  std::string campaign;
  std::string provider;  // --template
  bool json = false;
};

struct CampaignTemplate {
  std::string_view name;  // what --campaign takes; "" without it
  std::string_view file;
  std::string_view text;
  std::string_view endpoints;
};

std::array<CampaignTemplate, 4> templates() {
  const std::string_view endpoints(sortie_template_endpoints_begin, sortie_template_endpoints_end);
  const std::string_view pilot(sortie_template_pilot_endpoints_begin,
                               sortie_template_pilot_endpoints_end);
  return {{
      {.name = "",
       .file = "sortie.yaml",
       .text = {sortie_template_campaign_begin, sortie_template_campaign_end},
       .endpoints = endpoints},
      {.name = "pilot-all",
       .file = "pilot-all.yaml",
       .text = {sortie_pilot_all_begin, sortie_pilot_all_end},
       .endpoints = pilot},
      {.name = "pilot-closed",
       .file = "pilot-closed.yaml",
       .text = {sortie_pilot_closed_begin, sortie_pilot_closed_end},
       .endpoints = pilot},
      {.name = "pilot-paper",
       .file = "pilot-paper.yaml",
       .text = {sortie_pilot_paper_begin, sortie_pilot_paper_end},
       .endpoints = pilot},
  }};
}

std::vector<std::string> campaign_names() {
  std::vector<std::string> names;
  for (const CampaignTemplate& known : templates()) {
    if (!known.name.empty()) {
      names.emplace_back(known.name);
    }
  }
  return names;
}

constexpr std::string_view kOwnSuite = "own-suite";

/// What --template takes: an endpoints file of a provider's family, or of a whole team, or of a
/// simulated provider for a suite of one's own.
struct EndpointsTemplate {
  std::string_view name;
  std::string_view endpoints;
  std::string_view model;     // the campaign's, where it is the usual one
  std::string_view campaign;  // "" the usual one
};

std::array<EndpointsTemplate, 7> endpoints_templates() {
  const auto of = [](const char* begin, const char* end) { return std::string_view(begin, end); };
  return {{
      {"openai", of(sortie_template_openai_begin, sortie_template_openai_end), "gpt-4o-mini", ""},
      {"azure", of(sortie_template_azure_begin, sortie_template_azure_end), "gpt-4o-mini", ""},
      {"anthropic",
       of(sortie_template_anthropic_begin, sortie_template_anthropic_end),
       "claude-sonnet-4-0",
       ""},
      {"gemini",
       of(sortie_template_gemini_begin, sortie_template_gemini_end),
       "gemini-2.5-flash",
       ""},
      {"gateway",
       of(sortie_template_gateway_begin, sortie_template_gateway_end),
       "qwen2.5-72b-instruct",
       ""},
      {kOwnSuite,
       of(sortie_template_own_suite_endpoints_begin, sortie_template_own_suite_endpoints_end),
       "",
       of(sortie_template_own_suite_campaign_begin, sortie_template_own_suite_campaign_end)},
      {"scale-up",
       of(sortie_template_scale_up_begin, sortie_template_scale_up_end),
       "",
       of(sortie_template_scale_up_campaign_begin, sortie_template_scale_up_campaign_end)},
  }};
}

std::vector<std::string> template_names() {
  std::vector<std::string> names;
  for (const EndpointsTemplate& known : endpoints_templates()) {
    names.emplace_back(known.name);
  }
  return names;
}

/// A file to write, its path within the folder of all.
struct NewFile {
  std::string path;
  std::string text;
};

/// The files that belong to a suite of one's own, beside campaign and endpoints.
std::vector<NewFile> own_suite_files() {
  return {
      {.path = "orders/suite.yaml",
       .text = {sortie_template_own_suite_suite_begin, sortie_template_own_suite_suite_end}},
      {.path = "provider.yaml",
       .text = {sortie_template_own_suite_provider_begin, sortie_template_own_suite_provider_end}}};
}

struct Files {
  std::string campaign_name;
  std::string campaign;
  std::string endpoints;
};

/// The usual campaign, with the template's model in the place of the one to fill in.
std::string campaign_for(std::string_view model) {
  constexpr std::string_view kPlace = "my-model";
  std::string text(templates().front().text);
  for (std::size_t at = text.find(kPlace); at != std::string::npos;
       at = text.find(kPlace, at + model.size())) {
    text.replace(at, kPlace.size(), model);
  }
  return text;
}

Files files_of(const InitOptions& options) {
  if (options.provider.empty()) {
    const auto known = templates();
    const auto chosen = std::ranges::find(known, options.campaign, &CampaignTemplate::name);
    return {std::string(chosen->file), std::string(chosen->text), std::string(chosen->endpoints)};
  }
  const auto known = endpoints_templates();
  const auto chosen = std::ranges::find(known, options.provider, &EndpointsTemplate::name);
  return chosen->campaign.empty()
             ? Files{"sortie.yaml", campaign_for(chosen->model), std::string(chosen->endpoints)}
             : Files{std::string(chosen->name) + ".yaml",
                     std::string(chosen->campaign),
                     std::string(chosen->endpoints)};
}

std::string advice(const InitOptions& options, const std::vector<NewFile>& files) {
  const std::string& endpoints = files[0].path;
  const std::string& campaign = files[1].path;
  std::vector<std::string> paths;
  std::ranges::transform(files, std::back_inserter(paths), &NewFile::path);
  const std::string last = paths.back();
  paths.pop_back();
  std::string text = fmt::format("Wrote {} and {}.\n", fmt::join(paths, ", "), last);
  if (options.provider == kOwnSuite) {
    const std::string suite = std::filesystem::path(files[2].path).parent_path().string();
    return text +
           fmt::format(
               "Try it without a key:\n  sortie suite validate {}\n  sortie simulate {} &\n  "
               "sortie check {}\n  sortie run {}\n  sortie report orders\n  sortie show "
               "orders 1\n",
               suite,
               last,
               endpoints,
               campaign);
  }
  return text +
         fmt::format("Name your keys in {}, then try:\n  sortie check {}\n  sortie plan {}\n",
                     endpoints,
                     endpoints,
                     campaign);
}

/// Endpoints, campaign, and what the template has more, with the paths where they are written.
std::vector<NewFile> files_to_write(const InitOptions& options) {
  Files chosen = files_of(options);
  std::vector<NewFile> files = {
      {.path = "endpoints.yaml", .text = std::move(chosen.endpoints)},
      {.path = std::move(chosen.campaign_name), .text = std::move(chosen.campaign)}};
  if (options.provider == kOwnSuite) {
    std::ranges::move(own_suite_files(), std::back_inserter(files));
  }
  for (NewFile& file : files) {
    file.path = (std::filesystem::path(options.directory) / file.path).string();
  }
  return files;
}

int init(const InitOptions& options) {
  namespace fs = std::filesystem;
  const std::vector<NewFile> files = files_to_write(options);
  std::error_code error;
  for (const NewFile& file : files) {
    if (fs::exists(file.path, error)) {
      return fail({.remedy = base::Remedy::bad_input,
                   .code = base::ErrorCode::invalid,
                   .message = fmt::format("{} exists already and is not overwritten", file.path)},
                  options.json);
    }
  }
  for (const NewFile& file : files) {
    fs::create_directories(fs::path(file.path).parent_path(), error);
    if (const base::Status written = analysis::write_atomically(file.path, file.text);
        !written.has_value()) {
      return fail(written.error(), options.json);
    }
  }
  if (options.json) {
    print_json(json::Object{{"campaign", files[1].path}, {"endpoints", files[0].path}});
  } else {
    print_text(advice(options, files));
  }
  return kDone;
}

}  // namespace

void add_init(CLI::App& root, Action& action) {
  const auto options = std::make_shared<InitOptions>();  // owned by the callbacks below
  CLI::App* command =
      root.add_subcommand("init", "Write a campaign file and endpoints.yaml to start from");
  command->add_option("DIR", options->directory, "Where to write them")->capture_default_str();
  command
      ->add_option("--campaign",
                   options->campaign,
                   "A campaign of the pilot benchmark instead of one to fill in")
      ->check(CLI::IsMember(campaign_names()));
  command
      ->add_option(
          "--template",
          options->provider,
          "An endpoints file for one family of providers, or for several accounts and "
          "deployments (scale-up), or a suite of your own with three tasks and a simulated "
          "provider (own-suite), with comments")
      ->check(CLI::IsMember(template_names()))
      ->excludes("--campaign");
  command->add_flag("--json", options->json, "Print one JSON document");
  command->footer(
      "Example:  sortie init mybench\n"
      "          sortie init mybench --template anthropic\n"
      "          sortie init mybench --template own-suite     tools and tasks of your own, to run "
      "at "
      "once\n"
      "          sortie init mybench --campaign pilot-all     the reference campaign: 8 open "
      "models, "
      "12,400 trials");
  command->callback([&action, options] { action = [options] { return init(*options); }; });
}

}  // namespace sortie::app
