#include "sortie/wire/scrub.h"

#include "sortie/base/json.h"
#include "sortie/base/scrubber.h"
#include "sortie/wire/message.h"

#include <string>
#include <string_view>
#include <utility>

namespace sortie::wire {

namespace {

/// An encoder may escape any character: then only the document that a body stands for tells.
std::string scrubbed_body(std::string_view body, const base::Scrubber& scrubber) {
  std::string clean = scrubber.scrub(body, kSecretBytesMin);
  if (!clean.contains('\\')) {
    return clean;
  }
  base::Result<json::Value> document = json::parse(clean);
  return document.has_value() && scrub_texts(*document, scrubber) ? json::to_text(*document)
                                                                  : clean;
}

}  // namespace

bool scrub_texts(json::Object& object, const base::Scrubber& scrubber) {
  bool held_any = false;
  bool is_renamed = false;
  json::Object clean;
  for (auto& member : object) {
    held_any = scrub_texts(member.value(), scrubber) || held_any;
    const std::string name = scrubber.scrub(member.key(), kSecretBytesMin);
    is_renamed = is_renamed || name != std::string_view(member.key());
  }
  if (is_renamed) {
    for (auto& member : object) {
      clean.emplace(scrubber.scrub(member.key(), kSecretBytesMin), std::move(member.value()));
    }
    object = std::move(clean);
  }
  return held_any || is_renamed;
}

bool scrub_texts(json::Value& value, const base::Scrubber& scrubber) {
  if (value.is_string()) {
    const std::string clean = scrubber.scrub(json::view(value.get_string()), kSecretBytesMin);
    const bool held_any = clean != json::view(value.get_string());
    if (held_any) {
      value = clean;
    }
    return held_any;
  }
  bool held_any = false;
  if (value.is_array()) {
    for (json::Value& item : value.get_array()) {
      held_any = scrub_texts(item, scrubber) || held_any;
    }
  } else if (value.is_object()) {
    held_any = scrub_texts(value.get_object(), scrubber);
  }
  return held_any;
}

Response scrubbed(const Response& response, const base::Scrubber& scrubber) {
  Response out;
  out.status = response.status;
  out.body = scrubbed_body(response.body, scrubber);
  for (const Header& field : response.headers.fields()) {
    out.headers.add(scrubber.scrub(field.name, kSecretBytesMin),
                    scrubber.scrub(field.value, kSecretBytesMin));
  }
  return out;
}

}  // namespace sortie::wire
