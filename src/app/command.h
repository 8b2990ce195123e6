#pragma once

#include "sortie/base/error.h"
#include "sortie/base/json.h"

#include <functional>
#include <string>
#include <string_view>

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
void add_compare(CLI::App& root, Action& action);
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
void add_top(CLI::App& root, Action& action);

[[nodiscard]] int exit_code_of(const base::Error& error);

/// Prints the error to stderr (as JSON to stdout with `json`) and returns its exit code.
int fail(const base::Error& error, bool json);

/// Prints one JSON document to stdout.
void print_json(const json::Value& value);

/// Prints text to stdout. Characters that would steer a terminal are written out (base::printable).
void print_text(std::string_view text);

/// Prints text to stderr. Unlike fmt::print it throws nothing where nobody reads or the disk is
/// full: what is said beside the work must not end it.
void print_aside(std::string_view text) noexcept;

/// The exit code of a command that would end with `code`: kRefused, and a word about it on stderr,
/// where what it printed to stdout could not be written. A reader who has left is no failure.
[[nodiscard]] int after_output(int code);

/// For CLI::Option::check: what is wrong with a word that should be a whole number from 1, or a
/// finite number above 0; empty if nothing is. CLI11 takes "-1" for a number without sign.
[[nodiscard]] std::string problem_of_count(const std::string& word);
[[nodiscard]] std::string problem_of_amount(const std::string& word);

/// "RUN" on a command line: a run directory, or the name of one under runs/.
[[nodiscard]] base::Result<std::string> run_directory(const std::string& run);

}  // namespace sortie::app
