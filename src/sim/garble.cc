#include "sortie/sim/garble.h"

#include "sortie/sim/profile.h"
#include "sortie/sim/reply.h"
#include "sortie/wire/message.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

namespace sortie::sim {

namespace {

/// A stream as one body that leaves at its end.
void join_pieces(Reply& reply) {
  for (const Reply::Piece& piece : reply.pieces) {
    reply.response.body += piece.bytes;
  }
  reply.pieces.clear();
}

/// The body, or of a stream the event in its middle, in half: what comes after an answer's end
/// would do it no harm.
void truncate_json(Reply& reply) {
  std::string& bytes =
      reply.pieces.empty() ? reply.response.body : reply.pieces[reply.pieces.size() / 2].bytes;
  bytes.resize(bytes.size() / 2);
  if (!reply.pieces.empty()) {
    bytes += "\n\n";
  }
}

/// No text in UTF-8 holds these bytes.
void break_utf8(std::string& bytes) {
  constexpr std::string_view kNoUtf8 = "\xff\xfe\xfd";
  if (const std::size_t at = bytes.find(kBreakingPoint); at != std::string::npos) {
    bytes.replace(at, kBreakingPoint.size(), kNoUtf8);
  }
}

}  // namespace

void garble(Reply& reply, FaultKind kind) {
  switch (kind) {
    case FaultKind::truncated_body:
      reply.delivery = Reply::Delivery::truncated;
      return;
    case FaultKind::broken_chunks:
      join_pieces(reply);
      reply.delivery = Reply::Delivery::bad_chunks;
      return;
    case FaultKind::broken_gzip:
      join_pieces(reply);
      reply.delivery = Reply::Delivery::bad_gzip;
      return;
    case FaultKind::invalid_utf8:
      break_utf8(reply.response.body);
      for (Reply::Piece& piece : reply.pieces) {
        break_utf8(piece.bytes);
      }
      return;
    case FaultKind::truncated_json:
      truncate_json(reply);
      return;
    default:
      return;
  }
}

bool sends_head(Reply::Delivery delivery) {
  return delivery == Reply::Delivery::answer || delivery == Reply::Delivery::truncated ||
         delivery == Reply::Delivery::bad_chunks || delivery == Reply::Delivery::bad_gzip;
}

std::string with_bad_chunks(const wire::Response& response) {
  std::string bytes =
      fmt::format("HTTP/1.1 {} OK\r\nTransfer-Encoding: chunked\r\n", response.status);
  for (const wire::Header& field : response.headers.fields()) {
    bytes += fmt::format("{}: {}\r\n", field.name, field.value);
  }
  const std::string_view first =
      std::string_view(response.body).substr(0, response.body.size() / 2);
  bytes += fmt::format("\r\n{:x}\r\n{}\r\nno length\r\n", first.size(), first);
  return bytes;
}

wire::Response with_bad_gzip(wire::Response response) {
  // The header of RFC 1952, and a block of a reserved type.
  constexpr std::string_view kBegin("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\x07", 11);
  response.headers.add("content-encoding", "gzip");
  response.body.insert(0, kBegin);
  return response;
}

}  // namespace sortie::sim
