#include <coroutine>
#include <exception>
#include <optional>
#include <utility>

#include <gtest/gtest.h>

// Why the compiler is checked at configure time: g++ 12 destroys the temporaries of these everyday
// co_await expressions twice or never. A compiler passes when every object that was made is
// destroyed exactly once.

namespace {

struct Counted {
  static inline int alive = 0;

  Counted() { ++alive; }

  Counted(const Counted&) { ++alive; }

  Counted(Counted&&) noexcept { ++alive; }

  Counted& operator=(const Counted&) = default;
  Counted& operator=(Counted&&) = default;

  ~Counted() { --alive; }
};

template <class T>
class Lazy {
 public:
  struct promise_type {
    std::optional<T> value;
    std::coroutine_handle<> caller;

    Lazy get_return_object() {
      return Lazy(std::coroutine_handle<promise_type>::from_promise(*this));
    }

    std::suspend_always initial_suspend() noexcept { return {}; }

    struct Final {
      bool await_ready() noexcept { return false; }

      std::coroutine_handle<> await_suspend(std::coroutine_handle<promise_type> self) noexcept {
        const auto waiter = self.promise().caller;
        return waiter ? waiter : std::noop_coroutine();
      }

      void await_resume() noexcept {}
    };

    Final final_suspend() noexcept { return {}; }

    void return_value(T result) { value.emplace(std::move(result)); }

    void unhandled_exception() { std::terminate(); }
  };

  explicit Lazy(std::coroutine_handle<promise_type> handle) : handle_(handle) {}

  Lazy(Lazy&& other) noexcept : handle_(std::exchange(other.handle_, {})) {}

  Lazy(const Lazy&) = delete;
  Lazy& operator=(const Lazy&) = delete;

  ~Lazy() {
    if (handle_) {
      handle_.destroy();
    }
  }

  bool await_ready() { return false; }

  std::coroutine_handle<> await_suspend(std::coroutine_handle<> waiter) {
    handle_.promise().caller = waiter;
    return handle_;
  }

  T await_resume() { return std::move(*handle_.promise().value); }

  void run() { handle_.resume(); }

 private:
  std::coroutine_handle<promise_type> handle_;
};

struct Pair {
  Counted counted;
  int number;
};

template <class Function>
Lazy<int> call(Function function) {
  co_return function();
}

Lazy<int> number_of(Pair pair) {
  co_return pair.number;
}

Lazy<Counted> make() {
  co_return Counted{};
}

Lazy<int> lambda_with_a_capture() {
  const Counted counted;
  co_return co_await call([counted] { return 1; });
}

Lazy<int> aggregate_argument() {
  co_return co_await number_of(Pair{Counted{}, 7});
}

Lazy<int> await_inside_an_aggregate() {
  const Pair pair{co_await make(), 1};
  co_return pair.number;
}

template <class Function>
int alive_after(Function function) {
  Counted::alive = 0;
  {
    auto task = function();
    task.run();
  }
  return Counted::alive;
}

TEST(Compiler, destroys_the_temporaries_of_co_await_exactly_once) {
  EXPECT_EQ(alive_after(lambda_with_a_capture), 0);
  EXPECT_EQ(alive_after(aggregate_argument), 0);
  EXPECT_EQ(alive_after(await_inside_an_aggregate), 0);
}

}  // namespace
