#include "sortie/suite/generator.h"

#include "sortie/suite/catalog.h"
#include "sortie/suite/embedded.h"
#include "sortie/suite/task_file.h"
#include "sortie/suite/trial.h"

#include <cstdlib>
#include <fstream>
#include <string>

#include <gtest/gtest.h>

namespace sortie::suite {

TEST(Generator, the_files_in_the_repository_are_its_output) {
  const ToolCatalog catalog = ToolCatalog::pilot();
  for (const EmbeddedFile& file : embedded_tasks()) {
    const std::string text = task_file_text("pilot/1", generate_pilot(catalog, file.type));
    // With SORTIE_WRITE_SUITE set to a folder the test writes the files there, for a deliberate
    // change of the suite.
    if (const char* folder = std::getenv("SORTIE_WRITE_SUITE")) {
      std::ofstream(std::string(folder) + "/" + std::string(to_string(file.type)) + ".json")
          << text;
    }
    EXPECT_TRUE(text == file.text) << file.name << " differs from what the generator writes";
    EXPECT_LT(text.size(), 1U << 20U) << file.name;
  }
}

}  // namespace sortie::suite
