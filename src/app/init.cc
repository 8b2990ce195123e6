#include "sortie/analysis/export.h"
#include "sortie/app/command.h"

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include <fmt/format.h>

extern "C" const char sortie_template_campaign_begin[];
extern "C" const char sortie_template_campaign_end[];
extern "C" const char sortie_template_endpoints_begin[];
extern "C" const char sortie_template_endpoints_end[];

namespace sortie::app {

namespace {

struct InitOptions {
  std::string directory = ".";
  bool json = false;
};

int init(const InitOptions& options) {
  namespace fs = std::filesystem;
  const fs::path campaign = fs::path(options.directory) / "sortie.yaml";
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
  const std::string_view campaign_text(sortie_template_campaign_begin,
                                       sortie_template_campaign_end);
  const std::string_view endpoints_text(sortie_template_endpoints_begin,
                                        sortie_template_endpoints_end);
  for (const auto& [path, text] :
       {std::pair{endpoints, endpoints_text}, std::pair{campaign, campaign_text}}) {
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
        campaign.string(),
        campaign.string()));
  }
  return kDone;
}

}  // namespace

void add_init(CLI::App& root, Action& action) {
  const auto options = std::make_shared<InitOptions>();  // owned by the callbacks below
  CLI::App* command =
      root.add_subcommand("init", "Write sortie.yaml and endpoints.yaml to start from");
  command->add_option("DIR", options->directory, "Where to write them")->capture_default_str();
  command->add_flag("--json", options->json, "Print one JSON document");
  command->footer("Example:  sortie init mybench");
  command->callback([&action, options] { action = [options] { return init(*options); }; });
}

}  // namespace sortie::app
