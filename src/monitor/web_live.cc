#include "sortie/monitor/web_live.h"

#include "sortie/engine/status.h"
#include "sortie/wire/message.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

namespace sortie::monitor {

namespace {

constexpr base::Duration kTick = std::chrono::seconds(1);
constexpr base::Duration kQuietTick = std::chrono::seconds(10);
constexpr std::size_t kBehind = 256UL * 1024;  // unsent bytes of a listener that is given up on

void round_numbers(json::Value& value) {
  if (value.is_double()) {
    const double number = value.get_double();
    if (!std::isfinite(number)) {
      value = nullptr;
    } else if (number != 0) {
      const double magnitude = std::floor(std::log10(std::abs(number)));
      const double scale = std::pow(10, std::max(3 - magnitude, 0.0));
      value = std::round(number * scale) / scale;
    }
  } else if (value.is_array()) {
    std::ranges::for_each(value.get_array(), round_numbers);
  } else if (value.is_object()) {
    for (auto& member : value.get_object()) {
      round_numbers(member.value());
    }
  }
}

/// Counts are signed or unsigned, depending on whether they were parsed or made here.
std::uint64_t count_of(const json::Value& value, std::string_view name) {
  const json::Value* member = json::find(value, name);
  const auto number = member == nullptr ? std::nullopt : json::as_number(*member);
  return static_cast<std::uint64_t>(std::max(number.value_or(0), 0.0));
}

/// As much of a status as rates need.
engine::RunStatus progress_of(const json::Value& value) {
  engine::RunStatus status;
  status.elapsed = base::from_seconds(json::get_double(value, "elapsed_seconds").value_or(0));
  status.turns = count_of(value, "turns");
  status.input_tokens = json::get_int(value, "input_tokens").value_or(0);
  status.output_tokens = json::get_int(value, "output_tokens").value_or(0);
  return status;
}

std::string event(std::string_view name, const json::Value& data) {
  return fmt::format("event: {}\ndata: {}\n\n", name, json::to_text(data));
}

}  // namespace

std::optional<json::Value> difference(const json::Value& from, const json::Value& to) {
  if (from == to) {
    return std::nullopt;
  }
  json::Object changed;
  if (from.is_object() && to.is_object()) {
    for (const auto& member : to.get_object()) {
      const json::Value* before = from.get_object().if_contains(member.key());
      auto part =
          before == nullptr ? std::optional(member.value()) : difference(*before, member.value());
      if (part.has_value()) {
        changed[member.key()] = std::move(*part);
      }
    }
    return changed;
  }
  if (from.is_array() && to.is_array() && from.get_array().size() == to.get_array().size()) {
    for (std::size_t i = 0; i < to.get_array().size(); ++i) {
      if (auto part = difference(from.get_array()[i], to.get_array()[i])) {
        changed[fmt::to_string(i)] = std::move(*part);
      }
    }
    return changed;
  }
  return to;
}

json::Value page_state(json::Value status, Rates& rates) {
  rates.observe(progress_of(status));
  if (json::Object* object = status.if_object()) {
    (*object)["rates"] = json::Object{{"turns_per_second", rates.turns_per_second()},
                                      {"tokens_per_second", rates.tokens_per_second()}};
  }
  round_numbers(status);
  return status;
}

LiveFeed::LiveFeed(aio::Loop& loop, LiveSource source) : loop_(loop), source_(std::move(source)) {}

LiveFeed::~LiveFeed() {
  *alive_ = false;
  if (timer_.has_value()) {
    loop_.cancel(*timer_);
  }
}

void LiveFeed::observe_always() {
  always_ = true;
  // From the loop: a run that has not started yet has no time of its own.
  schedule({});
}

void LiveFeed::listen(http::ResponseSlot slot) {
  wire::Response head;
  if (listeners_.size() >= kListenersMax) {
    head.status = 503;
    slot.respond(std::move(head));
    return;
  }
  head.status = 200;
  head.headers.add("Content-Type", "text/event-stream");
  head.headers.add("Cache-Control", "no-store");
  head.headers.add("X-Content-Type-Options", "nosniff");
  slot.begin(std::move(head));
  const std::uint64_t number = ++next_listener_;
  slot.on_disconnect([this, alive = alive_, number] {
    if (*alive) {
      std::erase_if(listeners_, [&](const Listener& one) { return one.number == number; });
    }
  });
  listeners_.push_back({.number = number, .slot = std::move(slot)});
  if (timer_.has_value()) {
    loop_.cancel(*timer_);
    timer_.reset();
  }
  ask();
}

void LiveFeed::ask() {
  if (std::exchange(asking_, true)) {
    return;
  }
  source_.status([this, alive = alive_](base::Result<json::Value> status) {
    if (*alive) {
      asking_ = false;
      told(std::move(status));
    }
  });
}

void LiveFeed::told(base::Result<json::Value> status) {
  if (!status.has_value()) {
    end();
    return;
  }
  const std::size_t bytes = send(page_state(std::move(*status), rates_));
  if (!listeners_.empty()) {
    schedule(std::max(kTick, base::from_seconds(static_cast<double>(bytes) / kBytesPerSecond)));
  } else if (always_) {
    schedule(kQuietTick);
  }
}

/// The size of the patch, which is what lasts: all of a state is sent once to each listener.
std::size_t LiveFeed::send(json::Value state) {
  const std::optional<json::Value> changed =
      state_.has_value() ? difference(*state_, state) : std::nullopt;
  // A comment keeps the connection known to be alive when nothing changed.
  const std::string patch = changed.has_value() ? event("patch", *changed) : ":\n\n";
  std::string all;
  for (Listener& listener : listeners_) {
    if (listener.slot.unsent_bytes() > kBehind) {
      listener.needs_all = true;
      continue;
    }
    if (listener.needs_all && all.empty()) {
      all = event("state", state);
    }
    listener.slot.write(std::exchange(listener.needs_all, false) ? all : patch);
  }
  state_ = std::move(state);
  return patch.size();
}

void LiveFeed::end() {
  state_.reset();
  rates_ = Rates();
  for (Listener& listener : std::exchange(listeners_, {})) {
    listener.slot.write("event: end\ndata: {}\n\n");
    listener.slot.end();
  }
}

void LiveFeed::schedule(base::Duration after) {
  timer_ = loop_.at(loop_.now() + after, [this] {
    timer_.reset();
    ask();
  });
}

}  // namespace sortie::monitor
