#include "sortie/ledger/lock.h"

#include "sortie/base/error.h"
#include "sortie/ledger/place.h"
#include "sortie/ledger/test_support.h"

#include <array>
#include <filesystem>
#include <fstream>
#include <string>

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

namespace sortie::ledger {
namespace {

/// A process that holds the lock until it is killed.
class Owner {
 public:
  explicit Owner(const std::string& directory) {
    std::array<int, 2> ready{};
    EXPECT_EQ(::pipe(ready.data()), 0);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::close(ready[0]);
      const auto lock = RunLock::acquire(directory, at(0));
      const char answer = lock ? 'y' : 'n';
      static_cast<void>(::write(ready[1], &answer, 1) == 1);
      while (true) {
        ::pause();
      }
    }
    ::close(ready[1]);
    char answer = 0;
    EXPECT_EQ(::read(ready[0], &answer, 1), 1);
    EXPECT_EQ(answer, 'y');
    ::close(ready[0]);
  }

  ~Owner() { kill_it(); }

  Owner(const Owner&) = delete;
  Owner& operator=(const Owner&) = delete;

  void kill_it() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
      pid_ = -1;
    }
  }

  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = -1;
};

TEST(RunLock, refuses_a_second_owner_and_names_the_first) {
  const RunDirectory directory;
  std::filesystem::create_directories(directory.path());
  const Owner owner(directory.path());
  const auto second = RunLock::acquire(directory.path(), at(1));
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code, base::ErrorCode::locked);
  std::array<char, 256> host{};
  ASSERT_EQ(::gethostname(host.data(), host.size() - 1), 0);
  const std::string& message = second.error().message;
  EXPECT_NE(message.find("pid " + std::to_string(owner.pid())), std::string::npos) << message;
  EXPECT_NE(message.find(host.data()), std::string::npos) << message;
  EXPECT_NE(message.find("since 2026-01-01T00:00:00"), std::string::npos) << message;
}

TEST(RunLock, refuses_a_second_owner_in_the_same_process) {
  const RunDirectory directory;
  std::filesystem::create_directories(directory.path());
  const auto first = RunLock::acquire(directory.path(), at(0));
  ASSERT_TRUE(first.has_value());
  EXPECT_FALSE(RunLock::acquire(directory.path(), at(0)).has_value());
}

TEST(RunLock, is_free_as_soon_as_its_owner_is_dead) {
  const RunDirectory directory;
  std::filesystem::create_directories(directory.path());
  Owner owner(directory.path());
  owner.kill_it();
  EXPECT_TRUE(RunLock::acquire(directory.path(), at(1)).has_value());
}

TEST(RunLock, is_free_after_an_orderly_end_and_then_names_nobody) {
  const RunDirectory directory;
  std::filesystem::create_directories(directory.path());
  {
    ASSERT_TRUE(RunLock::acquire(directory.path(), at(0)).has_value());
  }
  EXPECT_EQ(std::filesystem::file_size(directory.file("lock")), 0U);
  EXPECT_TRUE(RunLock::acquire(directory.path(), at(0)).has_value());
}

TEST(RunLock, refuses_the_second_ledger_before_it_touches_the_file) {
  const RunDirectory directory;
  auto first = open_ledger(directory.path());
  ASSERT_NE(first, nullptr);
  const auto second = Ledger::open(directory.path(), {}, nullptr);
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code, base::ErrorCode::locked);
  EXPECT_NE(open_reader(directory.path()), nullptr) << "readers need no lock";
}

TEST(Place, network_file_systems_are_unfit) {
  for (const std::int64_t magic : {0x6969L, 0x517BL, 0xFF534D42L, 0xFE534D42L, 0x01021997L}) {
    const auto reason = unfit_file_system(magic, "");
    ASSERT_TRUE(reason.has_value()) << magic;
    EXPECT_NE(reason->find("network"), std::string::npos);
  }
  // The same where f_type is a signed 32-bit number.
  EXPECT_TRUE(unfit_file_system(static_cast<std::int32_t>(0xFF534D42U), "").has_value());
}

TEST(Place, fuse_is_unfit_unless_it_is_known_to_be_local) {
  EXPECT_TRUE(unfit_file_system(0x65735546, "fuse.sshfs").has_value());
  EXPECT_TRUE(unfit_file_system(0x65735546, "fuse.rclone").has_value());
  EXPECT_TRUE(unfit_file_system(0x65735546, "virtiofs").has_value());
  EXPECT_TRUE(unfit_file_system(0x65735546, "").has_value());
  EXPECT_FALSE(unfit_file_system(0x65735546, "fuseblk").has_value());
}

TEST(Place, local_disks_and_memory_are_fit) {
  for (const std::int64_t magic : {0xEF53L, 0x58465342L, 0x9123683EL, 0x01021994L, 0x794C7630L}) {
    EXPECT_FALSE(unfit_file_system(magic, "").has_value()) << magic;
  }
  EXPECT_TRUE(check_place(testing::TempDir()).has_value());
  EXPECT_FALSE(check_place("/proc/none").has_value());
}

}  // namespace
}  // namespace sortie::ledger
