// Planning a campaign of ten million trials: time and memory from the file to the counts, and the
// cost of one trial.

#include "sortie/base/time.h"
#include "sortie/spec/load.h"
#include "sortie/suite/suite.h"

#include "bench/common.h"
#include "bench/memory.h"
#include <cstdint>
#include <cstdlib>
#include <string>
#include <utility>

#include <fmt/format.h>

namespace {

using namespace sortie;  // a program of one file
using bench::must;

// 100 tasks a cell, one baseline and seven flawed cells, 12,500 repeats.
constexpr std::string_view kCampaign =
    "version: 1\nname: bench\nsuite: pilot/1\nseed: 1\nmodels: [bench]\nscenarios: [baseline, "
    "flawed]\ninstances: 20\n"
    "repeats: 12500\n";

}  // namespace

int main() {
  const base::SystemClock clock;
  const base::Instant begin = clock.now();
  const suite::Suite suite = must(suite::Suite::pilot());
  const spec::Topology topology = must(spec::parse_endpoints(bench::kEndpoints, "endpoints.yaml"));
  const spec::Campaign campaign =
      must(spec::parse_campaign(kCampaign, "campaign.yaml", suite, topology));
  const double planned = base::seconds(clock.now() - begin);
  const std::uint64_t count = campaign.trial_count();
  std::uint64_t checksum = 0;
  constexpr std::uint64_t kSamples = 1'000'000;
  const base::Instant walk = clock.now();
  for (std::uint64_t i = 0; i < kSamples; ++i) {
    checksum += campaign.trial_at(i * (count / kSamples)).task;
  }
  const double walked = base::seconds(clock.now() - walk);
  fmt::print("trials             {}\n", count);
  fmt::print("plan               {:.3f} s\n", planned);
  fmt::print("memory             {:.1f} MB\n", static_cast<double>(bench::resident_bytes()) / 1e6);
  fmt::print("index to trial     {:.0f} ns  (checksum {})\n", walked / kSamples * 1e9, checksum);
  return 0;
}
