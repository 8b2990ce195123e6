#include "sortie/spec/model.h"

#include "sortie/provider/dialect.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <optional>
#include <string_view>
#include <vector>

namespace sortie::spec {

std::optional<std::size_t> Topology::find_model(std::string_view name) const {
  const auto found = std::ranges::find(models, name, &Model::name);
  if (found == models.end()) {
    return std::nullopt;
  }
  return static_cast<std::size_t>(std::distance(models.begin(), found));
}

std::vector<std::size_t> Topology::routes_of(std::size_t model) const {
  std::vector<std::size_t> found;
  for (std::size_t i = 0; i < routes.size(); ++i) {
    if (routes[i].model == model) {
      found.push_back(i);
    }
  }
  return found;
}

provider::Call Topology::call_over(const Route& route) const {
  const Endpoint& endpoint = endpoints[route.endpoint];
  provider::Call call;
  call.base_url = endpoint.base_url;
  call.api_name = route.api_name;
  call.capability = &models[route.model].capability;
  call.stream = endpoint.stream;
  call.api_version = endpoint.api_version;
  call.organization = endpoint.organization;
  call.project = endpoint.project;
  return call;
}

}  // namespace sortie::spec
