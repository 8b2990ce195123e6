#include "sortie/http/curl_sockets.h"

#include "sortie/base/time.h"
#include "sortie/http/curl_exchange.h"

#include <cstddef>
#include <cstdint>
#include <utility>

#include <sys/socket.h>

namespace sortie::http {

namespace {

/// Never given twice by the system; 0 of what is no socket.
std::uint64_t cookie_of(int descriptor) {
  std::uint64_t cookie = 0;
  socklen_t size = sizeof cookie;
  return ::getsockopt(descriptor, SOL_SOCKET, SO_COOKIE, &cookie, &size) == 0 ? cookie : 0;
}

}  // namespace

CurlSocket& CurlSockets::at(int descriptor) {
  const auto index = static_cast<std::size_t>(descriptor);
  if (index >= sockets_.size()) {
    sockets_.resize(index + 1);
  }
  return sockets_[index];
}

OpenedSocket CurlSockets::opened(int descriptor, Origin& origin) {
  CurlSocket& socket = at(descriptor);
  socket.ours = true;
  socket.busy = true;
  socket.cookie = cookie_of(descriptor);
  socket.origin = &origin;
  socket.number = ++counts_.opened;
  ++counts_.open;
  ++origin.sockets;
  return {.descriptor = descriptor, .number = socket.number};
}

void CurlSockets::rest(CurlSocket& socket, base::Instant now) {
  socket.busy = false;
  if (!socket.dead) {
    socket.idle_since = now;
    ++counts_.idle;
  }
}

void CurlSockets::work(CurlSocket& socket) {
  socket.busy = true;
  counts_.idle -= socket.dead ? 0 : 1;
}

void CurlSockets::die(CurlSocket& socket) {
  socket.dead = true;
  end_silence(socket);
  set_usable(socket, false);
  ++counts_.dead;
  --counts_.idle;
}

void CurlSockets::forget(int descriptor) {
  CurlSocket& socket = at(descriptor);
  if (socket.ours) {
    --counts_.open;
    counts_.idle -= !socket.busy && !socket.dead ? 1 : 0;
    counts_.dead -= socket.dead ? 1 : 0;
    end_silence(socket);
    set_usable(socket, false);
    --socket.origin->sockets;
  }
  socket = {};
}

bool CurlSockets::is_gone(const OpenedSocket& opened) {
  const CurlSocket& socket = at(opened.descriptor);
  return socket.number == opened.number && socket.cookie != cookie_of(opened.descriptor);
}

void CurlSockets::begin_silence(CurlSocket& socket) {
  if (!std::exchange(socket.silent, true)) {
    ++socket.origin->silent;
  }
}

bool CurlSockets::end_silence(CurlSocket& socket) {
  if (!std::exchange(socket.silent, false)) {
    return false;
  }
  --socket.origin->silent;
  return true;
}

void CurlSockets::set_usable(CurlSocket& socket, bool usable) {
  if (std::exchange(socket.usable, usable) == usable) {
    return;
  }
  if (usable) {
    ++socket.origin->usable;
  } else {
    --socket.origin->usable;
  }
}

}  // namespace sortie::http
