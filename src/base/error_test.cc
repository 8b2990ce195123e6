#include "sortie/base/error.h"

#include <cerrno>
#include <string>

#include <gtest/gtest.h>

namespace sortie::base {
namespace {

Result<int> parse_digit(char c) {
  if (c < '0' || c > '9') {
    return bad_input(std::string("not a digit: ") + c);
  }
  return c - '0';
}

Result<int> sum(char a, char b) {
  TRY_ASSIGN(const int x, parse_digit(a));
  TRY_ASSIGN(const int y, parse_digit(b));
  return x + y;
}

Status check(char a) {
  TRY(parse_digit(a));
  return {};
}

TEST(Error, try_assign_yields_the_value_or_returns_the_error) {
  EXPECT_EQ(sum('3', '4').value(), 7);
  ASSERT_FALSE(sum('3', 'x').has_value());
  EXPECT_EQ(sum('3', 'x').error().message, "not a digit: x");
  EXPECT_TRUE(check('1').has_value());
  EXPECT_FALSE(check('z').has_value());
}

TEST(Error, io_errors_say_what_the_system_said_and_end_the_campaign) {
  const Result<int> failed = io_error("cannot open /x", ENOENT);
  EXPECT_EQ(failed.error().message, "cannot open /x: No such file or directory");
  EXPECT_EQ(failed.error().remedy, Remedy::fail_campaign);
  EXPECT_EQ(failed.error().code, ErrorCode::io);
}

TEST(Error, context_goes_before_the_message) {
  const Error error = with_context(
      {.remedy = Remedy::retry_now, .code = ErrorCode::timeout, .message = "slow"}, "a.yaml:3:1");
  EXPECT_EQ(error.message, "a.yaml:3:1: slow");
  EXPECT_EQ(error.remedy, Remedy::retry_now);
}

}  // namespace
}  // namespace sortie::base
