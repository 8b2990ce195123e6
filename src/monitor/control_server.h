#pragma once

#include "sortie/aio/loop.h"
#include "sortie/base/error.h"
#include "sortie/engine/control.h"
#include "sortie/engine/status.h"
#include "sortie/http/server.h"

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace sortie::monitor {

/// The file in a run directory that a live run listens on.
inline constexpr std::string_view kControlSocket = "control.sock";

/// Answers the body of POST /v1/control: reads the command, gives it its author, makes the change
/// and tells what changed, or what was wrong.
[[nodiscard]] wire::Response apply_control(
    std::string_view body,
    const std::string& author,
    const std::function<base::Result<std::vector<std::string>>(const engine::ControlCommand&)>&
        control);

/// Status and control of a live run as HTTP over RUN/control.sock, versioned:
///   GET  /v1/status    the status as JSON; with "Accept: text/plain" as the live view's lines
///   POST /v1/control   one change (control_json.h); answers {"changes": ["…"], "dry_run": false}
/// Errors are {"error": {"code", "message"}} with 400 (bad input), 403 (another user), 404, 405 or
/// 409 (the run is ending). Only the user that runs the process may ask; that user is a change's
/// author. Lives on the loop's thread; the caller holds the run's lock.
class ControlServer final : public http::Handler {
 public:
  struct Source {
    std::function<engine::RunStatus()> status;
    std::function<base::Result<std::vector<std::string>>(const engine::ControlCommand&)> control;
  };

  [[nodiscard]] static base::Result<std::unique_ptr<ControlServer>> listen(
      aio::Loop& loop, const std::string& run_directory, Source source);

  void handle(http::ServerRequest request, http::ResponseSlot slot) override;

 private:
  explicit ControlServer(Source source);

  [[nodiscard]] wire::Response answer(const http::ServerRequest& request) const;
  [[nodiscard]] wire::Response status(const http::ServerRequest& request) const;
  [[nodiscard]] wire::Response control(const http::ServerRequest& request) const;

  Source source_;
  std::string author_;  // "name (uid 1000)"
  std::unique_ptr<http::Server> server_;
};

}  // namespace sortie::monitor
