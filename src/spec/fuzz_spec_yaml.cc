#include "sortie/base/error.h"
#include "sortie/spec/load.h"
#include "sortie/spec/model.h"
#include "sortie/suite/suite.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace {

/// What campaigns are read against. Built once: what is looked for is what the texts can do.
struct World {
  sortie::suite::Suite suite = sortie::suite::Suite::pilot().value();
  sortie::spec::Topology topology;

  World() {
    for (const char* name : {"a", "b"}) {
      sortie::spec::Model model;
      model.name = name;
      model.size_b = 1;
      topology.models.push_back(model);
    }
  }
};

/// Every error must say where it is; nothing else may happen.
void require_place(const sortie::base::Error& error) {
  if (!error.message.starts_with("f.yaml:")) {
    std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const World world;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto topology = sortie::spec::parse_endpoints(text, "f.yaml"); !topology) {
    require_place(topology.error());
  }
  if (const auto campaign =
          sortie::spec::parse_campaign(text, "f.yaml", world.suite, world.topology);
      !campaign) {
    require_place(campaign.error());
  }
  return 0;
}
