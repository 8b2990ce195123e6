#include "sortie/app/command.h"
#include "sortie/base/printable.h"
#include "sortie/base/text.h"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <exception>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/resource.h>

namespace {

/// A core dump would hold every key.
void forbid_core_dumps() {
  const rlimit none{.rlim_cur = 0, .rlim_max = 0};
  setrlimit(RLIMIT_CORE, &none);
  prctl(PR_SET_DUMPABLE, 0);
}

/// A connection each: the usual limit of 1,024 is below what a run may have in flight.
void allow_all_files() {
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
}

/// CLI11 would only say that a command is missing.
bool is_unknown_command(const CLI::App& root, std::string_view word) {
  std::vector<std::string> known;
  for (const CLI::App* command : root.get_subcommands(nullptr)) {
    known.push_back(command->get_name());
  }
  if (word.empty() || word.starts_with('-') || std::ranges::find(known, word) != known.end()) {
    return false;
  }
  sortie::app::print_aside(
      fmt::format("sortie: there is no command '{}'{}\n",
                  sortie::base::printable_line(sortie::base::shortened(word, 60)),
                  sortie::base::suggestion(word, known)));
  return true;
}

int run(int argc, char** argv) {
  CLI::App root(
      "Sortie runs LLM agent benchmarks over every provider, deployment and key, as fast as their "
      "limits allow, "
      "without losing, double counting or mislabelling a paid result.",
      "sortie");
  root.set_version_flag("--version", SORTIE_VERSION);
  root.require_subcommand(1);
  root.footer(
      "Start with:  sortie init   then   sortie plan sortie.yaml   and   sortie run sortie.yaml\n"
      "Exit codes:  0 done, 1 finished with losses, 2 usage or bad input, 3 refused or failed "
      "(lock, integrity, I/O),\n"
      "             130 interrupted with everything saved");
  sortie::app::Action action;
  sortie::app::add_init(root, action);
  sortie::app::add_check(root, action);
  sortie::app::add_plan(root, action);
  sortie::app::add_run(root, action);
  sortie::app::add_rehearse(root, action);
  sortie::app::add_status(root, action);
  sortie::app::add_top(root, action);
  sortie::app::add_control(root, action);
  sortie::app::add_show(root, action);
  sortie::app::add_serve(root, action);
  sortie::app::add_report(root, action);
  sortie::app::add_compare(root, action);
  sortie::app::add_export(root, action);
  sortie::app::add_sql(root, action);
  sortie::app::add_verify(root, action);
  sortie::app::add_prune(root, action);
  sortie::app::add_score(root, action);
  sortie::app::add_suite(root, action);
  sortie::app::add_simulate(root, action);
  sortie::app::add_bench(root, action);
  if (argc > 1 && is_unknown_command(root, argv[1])) {
    return sortie::app::kBadInput;
  }
  try {
    root.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return root.exit(error) == 0 ? sortie::app::kDone : sortie::app::kBadInput;
  }
  return sortie::app::after_output(action());
}

}  // namespace

int main(int argc, char** argv) {
  forbid_core_dumps();
  allow_all_files();
  std::signal(SIGPIPE, SIG_IGN);
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    // Only memory that is used up, or a bug: Sortie's own failures are values.
    std::fputs("sortie: ", stderr);
    std::fputs(error.what(), stderr);
    std::fputs("\n", stderr);
    return sortie::app::kRefused;
  }
}
