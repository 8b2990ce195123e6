#pragma once

#include "sortie/base/error.h"
#include "sortie/base/secret.h"
#include "sortie/spec/campaign.h"
#include "sortie/spec/model.h"
#include "sortie/suite/suite.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

// Reading YAML files. Every error is bad_input; each line of its message (at most ten, one per
// problem) begins with "file:line:column: ", says what was expected and, for an unknown name, which
// one is near. Only a file that cannot be read and a wrong override have no place. Nothing is
// defaulted from an unknown value. docs/reference/files.md has the formats.

namespace sortie::spec {

/// What the command line changes in a campaign.
struct CampaignOverrides {
  std::vector<std::string>
      only;  // scenarios to keep, by id or number ("baseline", "5.1"); empty: all
  std::vector<std::string> models;  // models to keep; empty: all
  std::size_t limit = 0;            // per type and cell; 0: as the campaign says
};

[[nodiscard]] base::Result<Topology> load_endpoints(const std::string& path);

/// The same from memory; `file_name` is what errors say, and what relative paths of key files refer
/// to.
[[nodiscard]] base::Result<Topology> parse_endpoints(std::string_view text,
                                                     const std::string& file_name);

/// `topology` is needed to check the models. The campaign's own `endpoints:` names the file: see
/// endpoints_path_of.
[[nodiscard]] base::Result<Campaign> load_campaign(const std::string& path,
                                                   const suite::Suite& suite,
                                                   const Topology& topology,
                                                   const CampaignOverrides& overrides = {});

/// The same from memory.
[[nodiscard]] base::Result<Campaign> parse_campaign(std::string_view text,
                                                    const std::string& file_name,
                                                    const suite::Suite& suite,
                                                    const Topology& topology,
                                                    const CampaignOverrides& overrides = {});

/// The endpoints file that a campaign file names (default "endpoints.yaml"), relative to the
/// campaign's folder.
[[nodiscard]] base::Result<std::string> endpoints_path_of(const std::string& campaign_path);

/// Reads one secret: an environment variable, a file of mode 0600 or stricter owned by the user, or
/// the first line that a command prints (argv, no shell, 10 s, 4 KiB; refused unless the endpoints
/// file is owned by the user and not writable by others). Errors name the place and never the
/// value.
[[nodiscard]] base::Result<base::Secret> resolve_secret(const SecretRef& ref,
                                                        const std::string& endpoints_file);

}  // namespace sortie::spec
