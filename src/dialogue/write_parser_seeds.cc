#include "sortie/dialogue/fuzz_input.h"
#include "sortie/dialogue/parser_cases.h"

#include <cstdio>
#include <fstream>
#include <string>

#include <fmt/format.h>

// Writes the answers of parser_cases.txt as seeds for fuzz_dialogue_parser, one file per case.

int main(int argc, char** argv) {
  if (argc != 3) {
    fmt::print(stderr, "usage: write_parser_seeds TABLE FOLDER\n");
    return 2;
  }
  const auto cases = sortie::dialogue::load_parser_cases(argv[1]);
  if (!cases) {
    fmt::print(stderr, "{}: {}\n", argv[1], cases.error().message);
    return 2;
  }
  for (const sortie::dialogue::ParserCase& one : *cases) {
    const std::string path = fmt::format("{}/{}", argv[2], one.id);
    std::ofstream file(path, std::ios::binary);
    file << sortie::dialogue::fuzz_bytes(one.answer, one.options);
    if (!file.flush()) {
      fmt::print(stderr, "{}: cannot be written\n", path);
      return 1;
    }
  }
  return 0;
}
