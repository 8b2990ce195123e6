#include "sortie/monitor/web_assets.h"

#include <cstddef>

extern "C" {
extern const char sortie_web_index_begin[];
extern const char sortie_web_index_end[];
extern const char sortie_web_app_js_begin[];
extern const char sortie_web_app_js_end[];
extern const char sortie_web_app_css_begin[];
extern const char sortie_web_app_css_end[];
extern const char sortie_web_icon_begin[];
extern const char sortie_web_icon_end[];
}

namespace sortie::monitor {

namespace {

std::string_view bytes_of(const char* begin, const char* end) {
  return {begin, static_cast<std::size_t>(end - begin)};
}

}  // namespace

std::optional<WebAsset> web_asset(std::string_view path) {
  if (path == "index.html") {
    return WebAsset{.type = "text/html; charset=utf-8",
                    .bytes = bytes_of(sortie_web_index_begin, sortie_web_index_end)};
  }
  if (path == "app.js") {
    return WebAsset{.type = "text/javascript; charset=utf-8",
                    .bytes = bytes_of(sortie_web_app_js_begin, sortie_web_app_js_end)};
  }
  if (path == "app.css") {
    return WebAsset{.type = "text/css; charset=utf-8",
                    .bytes = bytes_of(sortie_web_app_css_begin, sortie_web_app_css_end)};
  }
  if (path == "icon.svg") {
    return WebAsset{.type = "image/svg+xml",
                    .bytes = bytes_of(sortie_web_icon_begin, sortie_web_icon_end)};
  }
  return std::nullopt;
}

}  // namespace sortie::monitor
