#pragma once

#include "sortie/base/time.h"
#include "sortie/engine/forecast.h"
#include "sortie/engine/lengths.h"
#include "sortie/sched/scheduler.h"
#include "sortie/testbed/agenda.h"
#include "sortie/testbed/judge.h"
#include "sortie/testbed/policy.h"
#include "sortie/testbed/referee.h"
#include "sortie/testbed/run.h"
#include "sortie/testbed/shared_server.h"
#include "sortie/testbed/workload.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <queue>
#include <tuple>
#include <vector>

namespace sortie::testbed {

/// The client's side of a campaign and its clock: opens dialogues as the policy wants them, sends
/// what it binds, and hands it what comes back, as sortie's engine does. Internal to run.cc.
class Campaign {
 public:
  Campaign(const Instance& instance, const PolicySpec& spec, Policy& policy);

  [[nodiscard]] Outcome run();

 private:
  enum class What : std::uint8_t {
    departs,   // may be sent now
    arrives,   // at the server
    begins,    // the first token reaches the client
    served,    // the last byte of its answer leaves the server
    received,  // whatever the server said reaches the client
    stalls,    // the client gives it up
  };

  struct Event {
    base::Instant at;
    std::uint64_t order = 0;  // of being scheduled
    What what = What::departs;
    std::uint32_t flight = 0;

    bool operator>(const Event& other) const {
      return std::tie(at, order) > std::tie(other.at, other.order);
    }
  };

  struct Flight {
    sched::Assignment assignment;
    Attempt attempt;
    base::Instant departed;
    base::Duration silence{};  // after which the client gives it up
    Ruling ruling;
  };

  struct Progress {
    std::uint32_t turns_done = 0;
    std::uint32_t attempts = 0;  // of the open turn
    std::optional<std::size_t> route_before;
  };

  /// What a client has seen of a model's answers.
  struct Outputs {
    double mean = 300;
    double count = 8;  // answers that the prior counts as
  };

  /// From sending to the answer, summed over a model's answers.
  struct Service {
    double seconds = 0;
    double answers = 0;
  };

  void open();
  void open_one(std::size_t model);
  void tell_backlog(std::size_t model, std::size_t cell);
  void make_ready(std::uint32_t ticket);
  void launch(const sched::Assignment& assignment);
  void depart(std::uint32_t flight, std::optional<base::Instant> granted);
  void arrive(std::uint32_t flight);
  void begin(std::uint32_t flight);
  void serve(std::uint32_t flight);
  void receive(std::uint32_t flight);
  void take_answer(Flight& flight);
  [[nodiscard]] base::Duration first_token(const Flight& flight) const;
  [[nodiscard]] double first_token_share(const Attempt& attempt) const;
  void take_failure(Flight& flight);
  void give_up(std::uint32_t flight);
  void close(std::uint32_t ticket, bool lost);
  void foretell();
  [[nodiscard]] bool advance();
  void handle(const Event& event);
  void schedule(base::Instant at, What what, std::uint32_t flight);
  [[nodiscard]] std::uint32_t take_flight_slot();

  const Instance& instance_;
  const PolicySpec& spec_;
  Policy& policy_;
  Judge judge_;
  Referee referee_;
  std::vector<SharedServer> servers_;  // one a key, if throughput collapses; else none
  std::vector<RouteRef> routes_;

  base::Instant now_;
  std::uint64_t next_order_ = 0;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
  std::vector<Flight> flights_;
  std::vector<std::uint32_t> free_flights_;

  Agenda agenda_;
  std::vector<std::uint32_t> dialogue_of_;  // by ticket
  std::vector<std::uint32_t> free_tickets_;
  std::vector<Progress> progress_;                // by dialogue
  std::vector<Outputs> outputs_;                  // by model
  std::vector<engine::DialogueLengths> lengths_;  // by model
  std::size_t open_ = 0;
  engine::Forecast forecast_;
  std::vector<Service> service_;  // by model
  std::vector<Foretold> foretold_;
  base::Instant next_foretelling_;
  std::vector<sched::Assignment> assignments_;
};

}  // namespace sortie::testbed
