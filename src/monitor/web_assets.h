#pragma once

#include <optional>
#include <string_view>

namespace sortie::monitor {

struct WebAsset {
  std::string_view type;  // Content-Type
  std::string_view bytes;
};

/// The built page (web/), which is part of the binary. `path` is "index.html", "app.js", "app.css"
/// or "icon.svg"; nullopt for anything else.
[[nodiscard]] std::optional<WebAsset> web_asset(std::string_view path);

}  // namespace sortie::monitor
