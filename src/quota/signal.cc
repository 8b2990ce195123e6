#include "sortie/quota/signal.h"

#include <string_view>

namespace sortie::quota {

std::string_view to_string(SignalClass value) {
  switch (value) {
    case SignalClass::throttle:
      return "throttle";
    case SignalClass::concurrency:
      return "concurrency";
    case SignalClass::daily_cap:
      return "daily_cap";
    case SignalClass::out_of_money:
      return "out_of_money";
    case SignalClass::ramp:
      return "ramp";
    case SignalClass::overload:
      return "overload";
    case SignalClass::transient:
      return "transient";
    case SignalClass::not_processed:
      return "not_processed";
    case SignalClass::broken:
      return "broken";
    case SignalClass::stall:
      return "stall";
    case SignalClass::auth:
      return "auth";
    case SignalClass::wrong_name:
      return "wrong_name";
    case SignalClass::bad_request:
      return "bad_request";
    case SignalClass::wrong_model:
      return "wrong_model";
    case SignalClass::cancelled:
      return "cancelled";
  }
  return "unknown";
}

std::string_view to_string(Dimension value) {
  switch (value) {
    case Dimension::unknown:
      return "unknown";
    case Dimension::requests:
      return "requests";
    case Dimension::tokens:
      return "tokens";
    case Dimension::concurrency:
      return "concurrency";
  }
  return "unknown";
}

}  // namespace sortie::quota
