#include "sortie/suite/embedded.h"

#include "sortie/suite/trial.h"

#include <array>
#include <cstddef>
#include <string_view>

// Written by sortie_embed (cmake/Embed.cmake).
extern "C" {
extern const char sortie_pilot_tools_begin[];
extern const char sortie_pilot_tools_end[];
extern const char sortie_pilot_simple_task_begin[];
extern const char sortie_pilot_simple_task_end[];
extern const char sortie_pilot_basic_task_begin[];
extern const char sortie_pilot_basic_task_end[];
extern const char sortie_pilot_data_pipeline_begin[];
extern const char sortie_pilot_data_pipeline_end[];
extern const char sortie_pilot_api_integration_begin[];
extern const char sortie_pilot_api_integration_end[];
extern const char sortie_pilot_multi_stage_pipeline_begin[];
extern const char sortie_pilot_multi_stage_pipeline_end[];
}

namespace sortie::suite {

namespace {

std::string_view bytes(const char* begin, const char* end) {
  return {begin, static_cast<std::size_t>(end - begin)};
}

}  // namespace

std::string_view embedded_tools() {
  return bytes(sortie_pilot_tools_begin, sortie_pilot_tools_end);
}

std::array<EmbeddedFile, kTaskTypes.size()> embedded_tasks() {
  return {
      EmbeddedFile{.type = TaskType::simple_task,
                   .name = "pilot/simple_task.json",
                   .text = bytes(sortie_pilot_simple_task_begin, sortie_pilot_simple_task_end)},
      EmbeddedFile{.type = TaskType::basic_task,
                   .name = "pilot/basic_task.json",
                   .text = bytes(sortie_pilot_basic_task_begin, sortie_pilot_basic_task_end)},
      EmbeddedFile{.type = TaskType::data_pipeline,
                   .name = "pilot/data_pipeline.json",
                   .text = bytes(sortie_pilot_data_pipeline_begin, sortie_pilot_data_pipeline_end)},
      EmbeddedFile{
          .type = TaskType::api_integration,
          .name = "pilot/api_integration.json",
          .text = bytes(sortie_pilot_api_integration_begin, sortie_pilot_api_integration_end)},
      EmbeddedFile{.type = TaskType::multi_stage_pipeline,
                   .name = "pilot/multi_stage_pipeline.json",
                   .text = bytes(sortie_pilot_multi_stage_pipeline_begin,
                                 sortie_pilot_multi_stage_pipeline_end)}};
}

}  // namespace sortie::suite
