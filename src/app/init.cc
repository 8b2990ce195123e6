#include "sortie/analysis/files.h"
#include "sortie/app/command.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
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

/// What --template takes: an endpoints file of a provider's family, or of a whole team.
struct EndpointsTemplate {
  std::string_view name;
  std::string_view endpoints;
  std::string_view model;     // the campaign's, where it is the usual one
  std::string_view campaign;  // "" the usual one
};

std::array<EndpointsTemplate, 6> endpoints_templates() {
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

int init(const InitOptions& options) {
  namespace fs = std::filesystem;
  const Files files = files_of(options);
  const fs::path campaign = fs::path(options.directory) / files.campaign_name;
  const fs::path endpoints = fs::path(options.directory) / "endpoints.yaml";
  std::error_code error;
  for (const fs::path& path : {campaign, endpoints}) {
    if (fs::exists(path, error)) {
      return fail(
          {.remedy = base::Remedy::bad_input,
           .code = base::ErrorCode::invalid,
           .message = fmt::format("{} exists already and is not overwritten", path.string())},
          options.json);
    }
  }
  fs::create_directories(options.directory, error);
  for (const auto& [path, text] :
       {std::pair{endpoints, files.endpoints}, std::pair{campaign, files.campaign}}) {
    if (const base::Status written = analysis::write_atomically(path.string(), text);
        !written.has_value()) {
      return fail(written.error(), options.json);
    }
  }
  if (options.json) {
    print_json(json::Object{{"campaign", campaign.string()}, {"endpoints", endpoints.string()}});
  } else {
    print_text(fmt::format(
        "Wrote {} and {}.\nName your keys in {}, then try:\n  sortie check {}\n  sortie plan {}\n",
        endpoints.string(),
        campaign.string(),
        endpoints.string(),
        endpoints.string(),
        campaign.string()));
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
      ->add_option("--template",
                   options->provider,
                   "An endpoints file for one family of providers, or for several accounts and "
                   "deployments (scale-up), with comments")
      ->check(CLI::IsMember(template_names()))
      ->excludes("--campaign");
  command->add_flag("--json", options->json, "Print one JSON document");
  command->footer(
      "Example:  sortie init mybench\n"
      "          sortie init mybench --template anthropic\n"
      "          sortie init mybench --campaign pilot-all     the reference campaign: 8 open "
      "models, "
      "12,400 trials");
  command->callback([&action, options] { action = [options] { return init(*options); }; });
}

}  // namespace sortie::app
