#include "sortie/analysis/phrases.h"

#include "sortie/base/check.h"
#include "sortie/base/json.h"
#include "sortie/base/text.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

extern "C" {
extern const char sortie_phrases_en_begin[];
extern const char sortie_phrases_en_end[];
extern const char sortie_phrases_zh_begin[];
extern const char sortie_phrases_zh_end[];
}

namespace sortie::analysis {

namespace {

struct LanguageRow {
  Language language;
  std::string_view code;
  std::string_view html;
};

constexpr std::array kLanguages = {LanguageRow{Language::english, "en", "en"},
                                   LanguageRow{Language::chinese, "zh", "zh-CN"}};

struct Catalogues {
  Phrases english;
  Phrases chinese;
};

/// The build links them in and a test reads them: what is wrong with them is a bug of ours.
Catalogues linked_in() {
  auto english = Phrases::parse({sortie_phrases_en_begin, sortie_phrases_en_end});
  auto chinese = Phrases::parse({sortie_phrases_zh_begin, sortie_phrases_zh_end});
  CHECK(english.has_value() && chinese.has_value());
  CHECK(check_alike(*english, *chinese).has_value());
  return {.english = std::move(*english), .chinese = std::move(*chinese)};
}

}  // namespace

std::vector<std::string> language_codes() {
  std::vector<std::string> codes;
  for (const LanguageRow& row : kLanguages) {
    codes.emplace_back(row.code);
  }
  return codes;
}

base::Result<Language> language_of_code(std::string_view code) {
  const auto* const found = std::ranges::find(kLanguages, code, &LanguageRow::code);
  if (found == kLanguages.end()) {
    return base::bad_input(fmt::format("language '{}' is not spoken here; expected one of: {}",
                                       code,
                                       base::join(language_codes(), ", ")));
  }
  return found->language;
}

std::string_view html_code(Language language) {
  return kLanguages[language == Language::chinese ? 1 : 0].html;
}

base::Result<Phrases> Phrases::parse(std::string_view document) {
  TRY_ASSIGN(const json::Value value, json::parse(document));
  if (!value.is_object()) {
    return base::bad_input("a catalogue of phrases is one JSON object of texts");
  }
  Phrases phrases;
  for (const auto& member : value.as_object()) {
    if (!member.value().is_string()) {
      return base::bad_input(fmt::format("phrase '{}' is no text", std::string_view(member.key())));
    }
    const std::string_view text = json::view(member.value().as_string());
    if (text.find_first_of("<>&\"") != std::string_view::npos) {
      return base::bad_input(
          fmt::format("phrase '{}' holds markup", std::string_view(member.key())));
    }
    phrases.texts_.emplace(std::string_view(member.key()), text);
  }
  return phrases;
}

std::optional<std::string> Phrases::find(std::string_view key) const {
  const auto found = texts_.find(key);
  return found == texts_.end() ? std::nullopt : std::optional(found->second);
}

std::string Phrases::filled(std::string_view key, fmt::format_args args) const {
  const auto found = texts_.find(key);
  CHECK(found != texts_.end());
  return fmt::vformat(found->second, args);
}

std::vector<std::string> placeholders(std::string_view text) {
  std::vector<std::string> found;
  for (std::size_t open = text.find('{'); open != std::string_view::npos;
       open = text.find('{', open + 1)) {
    const std::size_t close = std::min(text.find('}', open), text.size() - 1);
    found.emplace_back(text.substr(open, close + 1 - open));
  }
  std::ranges::sort(found);
  return found;
}

base::Status check_alike(const Phrases& original, const Phrases& translation) {
  for (const auto& [key, text] : original.texts()) {
    const auto translated = translation.find(key);
    if (!translated.has_value()) {
      return base::bad_input(fmt::format("phrase '{}' is not translated", key));
    }
    if (placeholders(*translated) != placeholders(text)) {
      return base::bad_input(
          fmt::format("phrase '{}' fills in other values: '{}', not '{}'", key, *translated, text));
    }
  }
  for (const auto& [key, text] : translation.texts()) {
    if (!original.find(key).has_value()) {
      return base::bad_input(fmt::format("phrase '{}' is in the translation alone", key));
    }
  }
  return {};
}

const Phrases& phrases_in(Language language) {
  static const Catalogues catalogues = linked_in();  // constants, read at first use
  return language == Language::chinese ? catalogues.chinese : catalogues.english;
}

}  // namespace sortie::analysis
