#include "sortie/ledger/records.h"

#include <string>
#include <vector>

namespace sortie::ledger {

base::Digest answers_digest(const std::vector<base::Digest>& answers) {
  std::string all;
  for (const base::Digest& answer : answers) {
    all += answer.hex();
  }
  return base::digest_of(all);
}

}  // namespace sortie::ledger
