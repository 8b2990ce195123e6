#pragma once

#include "sortie/base/time.h"
#include "sortie/sched/scheduler.h"
#include "sortie/spec/model.h"

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <vector>

namespace sortie::sched {

/// Who goes next among those that share limits: start-time fair queueing (Goyal, Vin & Cheng, 1996)
/// whose weights are the work that is left. A model is served in proportion to what it still has to
/// do, and inside it each group is, so that all of them end together; what a turn costs cancels
/// out, since work and service are both counted in turns of the group itself. A person's weights
/// multiply that. Pure arithmetic; knows no time and no queue.
class Shares {
 public:
  explicit Shares(const spec::Topology& topology);

  /// The group's place inside its model: 0 is that of turns without a group.
  [[nodiscard]] std::size_t place_of(std::size_t model, std::optional<std::size_t> group);

  void set_weight(std::size_t model, double weight);
  void set_share(std::size_t model, std::size_t place, const GroupShare& share);
  void set_backlog(std::size_t model, std::size_t place, const Backlog& backlog);

  /// An open dialogue of the group has so many turns to come, or not any more.
  void add_open(std::size_t model, std::size_t place, double turns);
  void remove_open(std::size_t model, std::size_t place, double turns);

  /// It has something ready again: what it left unused in the meantime is no claim on others.
  void joins(std::size_t model);
  void joins(std::size_t model, std::size_t place);

  /// The two share a limit after all: from now on they compete, level with each other.
  void unite(std::size_t a, std::size_t b);

  /// One turn of it was bound. `out_of_turn`: it did not wait for its place. `slowness`: of its
  /// route, see SlowRoutes.
  void serve(std::size_t model, std::size_t place, bool out_of_turn, double slowness = 1);

  /// It ended; `took`, if it was answered. `slowness`: of its route now.
  void landed(std::size_t model, std::optional<base::Duration> took, double slowness = 1);

  /// A route's slowness has changed while it had so many requests of the model in flight.
  void slowed(std::size_t model, double in_flight, double before, double now);

  /// A dialogue of the model with so many turns to come lasts, alone and one turn after the other,
  /// nearly as long as everything that shares limits with it: work that is left over requests in
  /// flight (Little's law), in service times of the model's best route, where a request that is in
  /// flight on a route n times as slow counts 1/n. It has to go on at once whenever it can.
  [[nodiscard]] double critical_turns(std::size_t model) const;

  /// How many turns of the model follow each other until all is done if a route with `in_flight`
  /// requests of the model, `slowness` times as slow as the best, took no more of them.
  [[nodiscard]] double turns_left_without(std::size_t model,
                                          double in_flight,
                                          double slowness) const;

  /// Of a turn, on the model's best route.
  [[nodiscard]] double seconds_per_turn(std::size_t model) const {
    return models_[model].seconds_per_turn;
  }

  /// The one with the least goes first.
  [[nodiscard]] double tag(std::size_t model) const { return models_[model].tag; }

  /// The same for the groups of a model, by place.
  [[nodiscard]] std::span<const double> tags(std::size_t model) const {
    return models_[model].tags;
  }

  /// The caller's group whose next dialogue should be opened: one whose dialogues alone last as
  /// long as everything, the longest first; else the one that has least open for the work that it
  /// has left. Nullopt: no group of the model that `may_open` lets pass has a backlog.
  [[nodiscard]] std::optional<std::size_t> opens_next(
      std::size_t model, const std::function<bool(std::size_t group)>& may_open = {}) const;

 private:
  struct Group {
    std::optional<std::size_t> name;  // the caller's
    GroupShare share;
    Backlog backlog;
    double open = 0;                   // turns to come of its open dialogues
    double work = 0;                   // all turns to come, weighted
    std::optional<std::size_t> claim;  // in its island
  };

  struct Model {
    std::vector<Group> groups;
    std::vector<double> tags;  // of the groups
    double weight = 1;
    double tag = 0;
    double served = 0;            // tag of the group that was served last
    double turns = 0;             // to come, of dialogues that are open and of those that are not
    double work = 0;              // of all groups
    double seconds_per_turn = 1;  // on its best route
    bool has_answered = false;
    std::size_t island = 0;
    bool has_guarantees = false;
  };

  /// Keeps the sums; `change` is made to one group of the model.
  template <class Change>
  void update(std::size_t model, std::size_t place, Change change);
  void set_claim(std::size_t model, std::size_t place, const GroupShare& share);
  void count_claim(const Model& model, const Group& group, double sign);
  void settle_claims(std::size_t island);
  [[nodiscard]] double plain_entitlement(std::size_t island) const;
  [[nodiscard]] double entitlement(const Model& model, const Group& group) const;
  [[nodiscard]] double entitlement(const Model& model) const;

  std::vector<Model> models_;

  /// What groups have together: those of a tenant, or one alone.
  struct Claim {
    std::optional<std::size_t> tenant;
    double guaranteed = 0;
    double plain = 0;   // what its groups are entitled to without the guarantee
    double factor = 1;  // to what they are entitled to with it
  };

  /// Models that compete, directly or through others.
  struct Island {
    std::vector<Claim> claims;
    double served = 0;     // tag of the model that was served last
    double seconds = 0;    // of service, for all turns to come
    double in_flight = 0;  // each over the slowness of its route
  };

  std::vector<std::size_t> add_claims(std::size_t island, const std::vector<Claim>& added);

  std::vector<Island> islands_;  // as many as models
};

}  // namespace sortie::sched
