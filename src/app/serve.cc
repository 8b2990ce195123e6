#include "sortie/aio/loop.h"
#include "sortie/aio/signals.h"
#include "sortie/app/command.h"
#include "sortie/app/web_page.h"

#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>

#include <fmt/format.h>

namespace sortie::app {

namespace {

struct ServeOptions {
  std::string directory = "runs";
  PageOptions page;
};

int serve(const ServeOptions& options) {
  const std::string& root = options.directory;
  std::error_code error;
  if (!std::filesystem::is_directory(root, error)) {
    return fail({.remedy = base::Remedy::bad_input,
                 .code = base::ErrorCode::not_found,
                 .message = fmt::format(
                     "{} is no directory: give a run directory, or one that holds some", root)},
                false);
  }
  const auto loop = aio::Loop::real();
  const auto page =
      WebPage::open(*loop, options.page, [&root] { return monitor::find_runs(root); });
  if (!page.has_value()) {
    return fail(page.error(), false);
  }
  // The link holds the token: it is printed for the one at this terminal and stands nowhere else.
  print_text(fmt::format("{}\n", (*page)->server().link()));
  std::fflush(stdout);
  const std::size_t runs = monitor::find_runs(root).size();
  print_aside(
      fmt::format("Serving {} run{} of {}. Ctrl-C ends it.\n", runs, runs == 1 ? "" : "s", root));
  const aio::Loop::Work work(*loop);
  const aio::SignalWatch signals(*loop, [&loop](int) { loop->stop(); });
  loop->run();
  return kDone;
}

}  // namespace

void add_serve(CLI::App& root, Action& action) {
  const auto options = std::make_shared<ServeOptions>();  // owned by the callbacks below
  CLI::App* command = root.add_subcommand(
      "serve",
      "The web page of finished and running runs, for this machine alone unless told otherwise");
  command->add_option("DIR", options->directory, "A run directory, or one that holds some")
      ->capture_default_str();
  add_page_options(*command, options->page, "");
  command->footer(
      "Example:  sortie serve runs\n"
      "Open the link that it prints: the token in it lets you in, and nobody else.\n"
      "Runs of other processes are shown and steered by their control sockets.");
  command->callback([&action, options] { action = [options] { return serve(*options); }; });
}

}  // namespace sortie::app
