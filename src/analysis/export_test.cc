#include "sortie/analysis/export.h"

#include "sortie/analysis/files.h"
#include "sortie/analysis/test_run.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>

#include <gtest/gtest.h>

namespace sortie::analysis {
namespace {

namespace fs = std::filesystem;

std::string slurp(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

class Export : public testing::Test {
 protected:
  Export() {
    const auto cell = run_.cell("m", "optimal", "baseline", 3);
    run_.scored(cell, "simple-1", true);
    run_.scored(cell, "simple-2", false);
    run_.lost(cell, "simple-3", "timeout");
  }

  ExportManifest exported(ExportFormat format) {
    auto manifest = export_run(*run_.reader(), directory(format).string(), {.format = format});
    EXPECT_TRUE(manifest.has_value()) << manifest.error().message;
    return std::move(manifest).value();
  }

  fs::path directory(ExportFormat format) {
    return fs::path(run_.directory()) / "export" / to_string(format);
  }

  TestRun run_;
};

TEST_F(Export, has_the_same_content_in_every_format) {
  const ExportManifest parquet = exported(ExportFormat::parquet);
  for (const ExportFormat format : {ExportFormat::json, ExportFormat::jsonl, ExportFormat::csv}) {
    const ExportManifest other = exported(format);
    EXPECT_EQ(other.high_water_mark, parquet.high_water_mark);
    ASSERT_EQ(other.tables.size(), parquet.tables.size());
    for (std::size_t i = 0; i < other.tables.size(); ++i) {
      EXPECT_EQ(other.tables[i].rows, parquet.tables[i].rows);
      EXPECT_EQ(other.tables[i].content, parquet.tables[i].content);
    }
  }
}

TEST_F(Export, keeps_answers_byte_for_byte) {
  exported(ExportFormat::jsonl);
  std::istringstream lines(slurp(directory(ExportFormat::jsonl) / "turns.jsonl"));
  std::string line;
  ASSERT_TRUE(std::getline(lines, line));
  const auto row = json::parse(line);
  ASSERT_TRUE(row.has_value()) << line;
  EXPECT_EQ(json::get_string(*row, "answer"), "{\"text\":\"a \\\"quoted\\\", line\nand ünïcode\"}");
}

TEST_F(Export, writes_files_that_say_what_they_are_and_leaves_no_temporary_ones) {
  const ExportManifest manifest = exported(ExportFormat::parquet);
  EXPECT_EQ(slurp(directory(ExportFormat::parquet) / "trials.parquet").substr(0, 4), "PAR1");
  const auto stored = json::parse(slurp(directory(ExportFormat::parquet) / "manifest.json"));
  ASSERT_TRUE(stored.has_value());
  EXPECT_EQ(*stored, to_json(manifest));
  for (const auto& entry : fs::directory_iterator(directory(ExportFormat::parquet))) {
    EXPECT_EQ(entry.path().filename().string().find("tmp"), std::string::npos) << entry.path();
  }
}

TEST_F(Export, trials_carry_their_outcome) {
  exported(ExportFormat::csv);
  const std::string csv = slurp(directory(ExportFormat::csv) / "trials.csv");
  EXPECT_NE(csv.find("simple-3"), std::string::npos);
  EXPECT_NE(csv.find("timeout"), std::string::npos);
}

TEST_F(Export, replaces_an_older_export_as_a_whole_and_nothing_else) {
  const fs::path target = directory(ExportFormat::csv);
  ASSERT_TRUE(export_run(*run_.reader(),
                         target.string(),
                         {.format = ExportFormat::csv, .tables = {}, .file_rows_max = 1})
                  .has_value());
  EXPECT_TRUE(fs::exists(target / "trials-00003.csv"));
  EXPECT_FALSE(fs::exists(target / "trials.csv"));
  exported(ExportFormat::csv);
  EXPECT_FALSE(fs::exists(target / "trials-00003.csv"));
  EXPECT_TRUE(fs::exists(target / "trials.csv"));

  std::ofstream(target / "notes.txt") << "mine";
  const auto refused = export_run(*run_.reader(), target.string(), {.format = ExportFormat::csv});
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, base::ErrorCode::refused);
  EXPECT_NE(refused.error().message.find("notes.txt"), std::string::npos);
  EXPECT_EQ(slurp(target / "notes.txt"), "mine");
  EXPECT_TRUE(fs::exists(target / "manifest.json"));
  EXPECT_EQ(std::distance(fs::directory_iterator(target.parent_path()), {}), 1);
}

TEST_F(Export, says_which_table_there_is_instead) {
  const auto refused =
      export_run(*run_.reader(), directory(ExportFormat::csv).string(), {.tables = {"trails"}});
  ASSERT_FALSE(refused.has_value());
  EXPECT_NE(refused.error().message.find("trials"), std::string::npos);
  EXPECT_FALSE(fs::exists(directory(ExportFormat::csv)));
}

TEST(WriteAtomically, says_what_cannot_be_written) {
  const base::Status status = write_atomically("/proc/none/x", "text");
  ASSERT_FALSE(status.has_value());
  EXPECT_NE(status.error().message.find("/proc/none"), std::string::npos);
}

}  // namespace
}  // namespace sortie::analysis
