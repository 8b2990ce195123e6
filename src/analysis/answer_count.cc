#include "sortie/analysis/answer_count.h"

#include <string>

#include <fmt/format.h>

namespace sortie::analysis {

std::string suspicion(const AnswerCount& answers, const Phrases& say) {
  return say("validity.suspicion", fmt::arg("empty", answers.empty), fmt::arg("all", answers.all));
}

}  // namespace sortie::analysis
