#pragma once

#include "sortie/base/error.h"
#include "sortie/base/json.h"

#include <functional>
#include <string>

#include <CLI/CLI.hpp>

// What the subcommands share. Each has a file of its own and registers itself with add_<name>().

namespace sortie::app {

/// Exit codes, the same for every command.
inline constexpr int kDone = 0;
inline constexpr int kLosses = 1;    // finished, and something is missing
inline constexpr int kBadInput = 2;  // usage or bad input; nothing was written
inline constexpr int kRefused = 3;   // lock, integrity, I/O
inline constexpr int kInterrupted = 130;

/// The chosen subcommand, run after parsing.
using Action = std::function<int()>;

void add_bench(CLI::App& root, Action& action);
void add_init(CLI::App& root, Action& action);
void add_check(CLI::App& root, Action& action);
void add_plan(CLI::App& root, Action& action);
void add_prune(CLI::App& root, Action& action);
void add_run(CLI::App& root, Action& action);
void add_rehearse(CLI::App& root, Action& action);
void add_control(CLI::App& root, Action& action);
void add_status(CLI::App& root, Action& action);
void add_show(CLI::App& root, Action& action);
void add_report(CLI::App& root, Action& action);
void add_export(CLI::App& root, Action& action);
void add_verify(CLI::App& root, Action& action);
void add_serve(CLI::App& root, Action& action);
void add_simulate(CLI::App& root, Action& action);
void add_score(CLI::App& root, Action& action);
void add_sql(CLI::App& root, Action& action);
void add_suite(CLI::App& root, Action& action);

[[nodiscard]] int exit_code_of(const base::Error& error);

/// Prints the error to stderr (as JSON to stdout with `json`) and returns its exit code.
int fail(const base::Error& error, bool json);

/// Prints one JSON document to stdout.
void print_json(const json::Value& value);

/// Prints text to stdout. Characters that would steer a terminal are written out (base::printable).
void print_text(std::string_view text);

/// "RUN" on a command line: a run directory, or the name of one under runs/.
[[nodiscard]] base::Result<std::string> run_directory(const std::string& run);

}  // namespace sortie::app
