#pragma once

#include "sortie/aio/loop.h"
#include "sortie/app/transcript_view.h"
#include "sortie/base/error.h"
#include "sortie/monitor/web_server.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include <CLI/CLI.hpp>

namespace sortie::app {

/// The flags of whoever serves the page.
struct PageOptions {
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;
  std::string token_file;
};

/// --port, --listen (of run: --serve-port, --serve-listen) and --token-file.
void add_page_options(CLI::App& command, PageOptions& options, const std::string& prefix);

/// The page's server with what it needs. Lives on the loop's thread.
class WebPage {
 public:
  /// Limits its connections to a quarter of the files that this process may open.
  [[nodiscard]] static base::Result<std::unique_ptr<WebPage>> open(
      aio::Loop& loop, const PageOptions& options, monitor::WebServer::Places places);

  [[nodiscard]] monitor::WebServer& server() { return *server_; }

 private:
  WebPage() = default;

  TranscriptViews transcripts_;
  std::unique_ptr<monitor::WebServer> server_;
};

}  // namespace sortie::app
