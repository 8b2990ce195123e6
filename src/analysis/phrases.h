#pragma once

#include "sortie/base/error.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

// The words of reports are data: one catalogue per language (phrases.en.json, phrases.zh.json),
// linked in. What is no word of ours stays as it is in every language: names, codes (labels,
// outcomes, protocols, factors), numbers, times, model output.

namespace sortie::analysis {

enum class Language : std::uint8_t { english, chinese };

/// As --lang takes them: "en", "zh".
[[nodiscard]] std::vector<std::string> language_codes();

/// bad_input that lists the codes for any other.
[[nodiscard]] base::Result<Language> language_of_code(std::string_view code);

/// The language as HTML names it: "en", "zh-CN".
[[nodiscard]] std::string_view html_code(Language language);

/// The texts of one language by key.
class Phrases {
 public:
  /// One JSON object of texts that hold no markup. What is filled in has a name and, if need be, a
  /// format of fmt's: "{model}", "{share:.1f}".
  [[nodiscard]] static base::Result<Phrases> parse(std::string_view document);

  /// The text of a key that exists, with its values filled in:
  ///   say("baseline.of", fmt::arg("model", name))
  template <class... Args>
  [[nodiscard]] std::string operator()(std::string_view key, const Args&... args) const {
    return filled(key, fmt::make_format_args(args...));
  }

  /// nullopt: there is none, which only a key made from data can be.
  [[nodiscard]] std::optional<std::string> find(std::string_view key) const;

  [[nodiscard]] const std::map<std::string, std::string, std::less<>>& texts() const {
    return texts_;
  }

 private:
  [[nodiscard]] std::string filled(std::string_view key, fmt::format_args args) const;

  std::map<std::string, std::string, std::less<>> texts_;
};

/// What a text has filled in, ascending: "{model}", "{share:.1f}".
[[nodiscard]] std::vector<std::string> placeholders(std::string_view text);

/// Whether both have the same keys, and in each text the same is filled in; else the first
/// difference, in words.
[[nodiscard]] base::Status check_alike(const Phrases& original, const Phrases& translation);

/// Those that are linked in, which are alike.
[[nodiscard]] const Phrases& phrases_in(Language language);

}  // namespace sortie::analysis
