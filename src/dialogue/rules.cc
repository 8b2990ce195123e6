#include "sortie/dialogue/rules.h"

#include "sortie/base/check.h"
#include "sortie/base/text.h"
#include "sortie/dialogue/parser.h"
#include "sortie/dialogue/prompts.h"
#include "sortie/dialogue/texts.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include <fmt/args.h>
#include <fmt/format.h>

namespace sortie::dialogue {

namespace {

/// Changes whenever the rules of a dialogue change in a way that no text shows: order of replies,
/// end rules, what a history holds.
constexpr std::string_view kRulesVersion = "dialogue/1";

base::Digest version_of(const suite::ToolCatalog& catalog) {
  base::FieldHasher hasher("sortie.dialogue.v1");
  hasher.field("rules", kRulesVersion);
  hasher.field("parser", kParserVersion);
  hasher.field("search", kSearchVersion);
  hasher.field("catalog", catalog.version());
  hasher.field("example", kExampleTool);
  for (const std::string_view wording : all_texts()) {
    hasher.field("text", wording);
  }
  return hasher.finish();
}

}  // namespace

Rules::Rules(const suite::ToolCatalog& catalog)
    : Rules(catalog, std::make_unique<suite::ShownPlans>(catalog)) {}

Rules::Rules(const suite::Suite& suite)
    : Rules(suite.catalog(), std::make_unique<suite::ShownPlans>(suite)) {}

Rules::Rules(const suite::ToolCatalog& catalog, std::unique_ptr<const suite::ShownPlans> plans)
    : catalog_(&catalog),
      plans_(std::move(plans)),
      index_(catalog),
      system_text_(dialogue::system_prompt(catalog, suite::Protocol::text)),
      system_native_(dialogue::system_prompt(catalog, suite::Protocol::native)),
      nothing_found_(fmt::format(fmt::runtime(text(Text::found_nothing)),
                                 fmt::arg("categories", base::join(catalog.categories(), ", ")))),
      functions_(function_schemas(catalog)),
      version_(version_of(catalog)) {
  for (const suite::ToolSpec& tool : catalog.tools()) {
    descriptions_.push_back(tool_description(tool));
    hits_.push_back(fmt::format(fmt::runtime(text(Text::found_tool)),
                                fmt::arg("name", tool.name),
                                fmt::arg("description", tool.description)));
  }
}

const std::string& Rules::system_prompt(suite::Protocol protocol) const {
  return protocol == suite::Protocol::native ? system_native_ : system_text_;
}

std::string Rules::first_prompt(const suite::Task& task, const suite::TrialParams& params) const {
  const std::optional<std::string> plan = plan_text(task, params);
  CHECK(plan.has_value());
  return dialogue::first_prompt(task.text(params.difficulty), *plan, params.prompt.style);
}

const std::vector<chat::ToolSchema>& Rules::functions(suite::Protocol protocol) const {
  return protocol == suite::Protocol::native ? functions_ : no_functions_;
}

std::string Rules::find_tool(std::string_view query) const {
  const std::vector<std::size_t> hits = index_.find(query);
  if (hits.empty()) {
    return nothing_found_;
  }
  std::string out = fmt::format(fmt::runtime(text(Text::found)), fmt::arg("count", hits.size()));
  for (const std::size_t hit : hits) {
    out += '\n';
    out += hits_[hit];
  }
  return out;
}

const std::string* Rules::show_tool(std::string_view name) const {
  const suite::ToolSpec* tool = catalog_->find(name);
  return tool == nullptr
             ? nullptr
             : &descriptions_[static_cast<std::size_t>(tool - catalog_->tools().data())];
}

std::optional<std::string> Rules::plan_text(const suite::Task& task,
                                            const suite::TrialParams& params) const {
  if (params.prompt.style == suite::PromptStyle::flawed) {
    const auto flawed = plans_->flawed(task, params.prompt.flaw, params.severity);
    return flawed != nullptr ? std::optional(plan_block(flawed->steps)) : std::nullopt;
  }
  const auto plan = suite::shown_plan(*catalog_, task, params.prompt, params.severity);
  return plan ? std::optional(plan_block(*plan)) : std::nullopt;
}

base::Digest Rules::plan_digest(const suite::Task& task, const suite::TrialParams& params) const {
  const std::optional<std::string> plan = plan_text(task, params);
  CHECK(plan.has_value());
  return base::digest_of(*plan);
}

}  // namespace sortie::dialogue
