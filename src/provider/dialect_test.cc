#include "sortie/provider/dialect.h"

#include "sortie/quota/signal.h"
#include "sortie/wire/message.h"

#include <string>

#include <gtest/gtest.h>

namespace sortie::provider {
namespace {

using quota::SignalClass;
using wire::FailureKind;

quota::Signal of(FailureKind kind) {
  return signal_of({.kind = kind, .message = "it broke"});
}

TEST(SignalOf, nothing_was_processed_without_a_connection) {
  for (const FailureKind kind :
       {FailureKind::connect, FailureKind::tls, FailureKind::connect_timeout}) {
    EXPECT_EQ(of(kind).kind, SignalClass::not_processed);
    EXPECT_FALSE(of(kind).maybe_billed);
  }
}

TEST(SignalOf, a_certificate_that_is_not_accepted_takes_the_route_out) {
  EXPECT_EQ(of(FailureKind::certificate).kind, SignalClass::wrong_name);
  EXPECT_FALSE(of(FailureKind::certificate).maybe_billed);
  EXPECT_EQ(of(FailureKind::certificate).code, "certificate");
}

TEST(SignalOf, a_reset_before_the_answer_may_be_billed) {
  EXPECT_EQ(of(FailureKind::reset).kind, SignalClass::not_processed);
  EXPECT_TRUE(of(FailureKind::reset).maybe_billed);
}

TEST(SignalOf, what_the_peer_refused_unread_is_not_billed) {
  EXPECT_EQ(of(FailureKind::refused).kind, SignalClass::not_processed);
  EXPECT_FALSE(of(FailureKind::refused).maybe_billed);
}

TEST(SignalOf, silence_is_a_stall_and_may_be_billed) {
  for (const FailureKind kind : {FailureKind::first_byte_timeout,
                                 FailureKind::liveness_timeout,
                                 FailureKind::progress_timeout,
                                 FailureKind::total_timeout}) {
    EXPECT_EQ(of(kind).kind, SignalClass::stall);
    EXPECT_TRUE(of(kind).maybe_billed);
  }
}

TEST(SignalOf, a_lost_answer_is_broken) {
  EXPECT_EQ(of(FailureKind::broken).kind, SignalClass::broken);
  EXPECT_EQ(of(FailureKind::too_large).kind, SignalClass::broken);
  EXPECT_TRUE(of(FailureKind::broken).maybe_billed);
}

TEST(SignalOf, keeps_our_own_doing_apart) {
  EXPECT_EQ(of(FailureKind::cancelled).kind, SignalClass::cancelled);
  EXPECT_EQ(of(FailureKind::invalid_request).kind, SignalClass::bad_request);
  EXPECT_FALSE(of(FailureKind::invalid_request).maybe_billed);
}

TEST(SignalOf, says_what_happened) {
  const quota::Signal signal =
      signal_of({.kind = FailureKind::tls, .message = "certificate expired"});
  EXPECT_EQ(signal.status, 0);
  EXPECT_EQ(signal.code, "tls");
  EXPECT_EQ(signal.message, "certificate expired");
}

TEST(FindDialect, knows_every_name_that_it_lists) {
  ASSERT_FALSE(dialect_names().empty());
  for (const std::string& name : dialect_names()) {
    const Dialect* dialect = find_dialect(name);
    ASSERT_NE(dialect, nullptr) << name;
    EXPECT_EQ(dialect->name(), name);
  }
  EXPECT_EQ(find_dialect("openai"), &openai());
  EXPECT_EQ(find_dialect("morse"), nullptr);
}

}  // namespace
}  // namespace sortie::provider
