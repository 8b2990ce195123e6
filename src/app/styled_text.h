#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>

// Text in colours for a terminal. Colours only repeat what the words say.

namespace sortie::app {

enum class Style : std::uint8_t { plain, heading, good, bad, caution };

struct Span {
  Style style = Style::plain;
  std::string text;
};

/// Prints to stdout. What the spans hold cannot steer the terminal (base::printable), whatever
/// their style.
void print_spans(const std::vector<Span>& spans, bool in_colour);

/// Adds --color auto|always|never.
void add_colour_option(CLI::App& command, std::string& when);

/// "auto": stdout is a terminal that wants colours (NO_COLOR, TERM=dumb).
[[nodiscard]] bool wants_colour(std::string_view when);

}  // namespace sortie::app
