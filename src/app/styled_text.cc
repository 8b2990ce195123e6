#include "sortie/app/styled_text.h"

#include "sortie/base/printable.h"

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include <unistd.h>

namespace sortie::app {

namespace {

std::string_view code_of(Style style) {
  switch (style) {
    case Style::plain:
      return "";
    case Style::heading:
      return "\x1b[1;36m";
    case Style::good:
      return "\x1b[32m";
    case Style::bad:
      return "\x1b[31m";
    case Style::caution:
      return "\x1b[33m";
  }
  return "";
}

}  // namespace

void print_spans(const std::vector<Span>& spans, bool in_colour) {
  std::string out;
  for (const Span& span : spans) {
    const std::string_view code = in_colour ? code_of(span.style) : std::string_view();
    out += code;
    out += base::printable(span.text);
    out += code.empty() ? "" : "\x1b[0m";
  }
  std::fwrite(out.data(), 1, out.size(), stdout);
  std::fflush(stdout);
}

void add_colour_option(CLI::App& command, std::string& when) {
  command
      .add_option(
          "--color",
          when,
          "auto (a terminal that wants them: NO_COLOR and TERM=dumb are honoured), always or "
          "never")
      ->check(CLI::IsMember({"auto", "always", "never"}))
      ->capture_default_str();
}

bool wants_colour(std::string_view when) {
  if (when != "auto") {
    return when == "always";
  }
  const char* term = std::getenv("TERM");
  return ::isatty(STDOUT_FILENO) == 1 && std::getenv("NO_COLOR") == nullptr && term != nullptr &&
         std::string_view(term) != "dumb";
}

}  // namespace sortie::app
