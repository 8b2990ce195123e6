#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

// Values as bytes and back, for files that only this machine and this program read. A struct takes
// part through `template <class A> void archive(A&, Struct&)`, which names its members once for
// both directions.

namespace sortie::analysis {

static_assert(std::endian::native == std::endian::little, "columns cut numbers from their low end");

class ArchiveWriter {
 public:
  template <class... T>
  void operator()(T&... values) {
    (put(values), ...);
  }

  /// n numbers get(i), each in as few bytes as the column needs. `set` is for the way back.
  template <class Get, class Set>
  void column(std::size_t n, const Get& get, const Set& /*set*/) {
    std::int64_t least = n == 0 ? 0 : get(0);
    std::int64_t most = least;
    for (std::size_t i = 1; i < n; ++i) {
      least = std::min<std::int64_t>(least, get(i));
      most = std::max<std::int64_t>(most, get(i));
    }
    const std::uint8_t width =
        width_of(static_cast<std::uint64_t>(most) - static_cast<std::uint64_t>(least));
    put(least);
    put(width);
    const std::size_t at = bytes_.size();
    bytes_.resize(at + n * width);
    for (std::size_t i = 0; width > 0 && i < n; ++i) {
      const std::uint64_t offset =
          static_cast<std::uint64_t>(get(i)) - static_cast<std::uint64_t>(least);
      std::memcpy(bytes_.data() + at + i * width, &offset, width);
    }
  }

  [[nodiscard]] const std::string& bytes() const { return bytes_; }

 private:
  template <class T>
    requires std::is_arithmetic_v<T> || std::is_enum_v<T>
  void put(T value) {
    char raw[sizeof(T)];
    std::memcpy(raw, &value, sizeof(T));
    bytes_.append(raw, sizeof(T));
  }

  void put(const std::string& text) {
    put(std::uint64_t{text.size()});
    bytes_ += text;
  }

  void put(std::string& text) { put(std::as_const(text)); }

  template <class T>
  void put(std::vector<T>& items) {
    put(std::uint64_t{items.size()});
    for (T& item : items) {
      put(item);
    }
  }

  template <class K, class V>
  void put(std::map<K, V>& items) {
    put(std::uint64_t{items.size()});
    for (auto& [key, value] : items) {
      put(key);
      put(value);
    }
  }

  void put(std::set<std::string>& items) {
    put(std::uint64_t{items.size()});
    for (const std::string& item : items) {
      put(item);
    }
  }

  template <class T, std::size_t N>
  void put(std::array<T, N>& items) {
    for (T& item : items) {
      put(item);
    }
  }

  template <class T>
  void put(std::optional<T>& value) {
    put(value.has_value());
    if (value.has_value()) {
      put(*value);
    }
  }

  template <class A, class B>
  void put(std::pair<A, B>& value) {
    put(value.first);
    put(value.second);
  }

  template <class T>
    requires std::is_class_v<T>
  void put(T& value) {
    archive(*this, value);
  }

  /// Bytes that hold every number up to this one.
  [[nodiscard]] static std::uint8_t width_of(std::uint64_t most) {
    return static_cast<std::uint8_t>((std::bit_width(most) + 7) / 8);
  }

  std::string bytes_;
};

/// Gives values at their default once the bytes do not suffice.
class ArchiveReader {
 public:
  explicit ArchiveReader(std::string_view bytes) : bytes_(bytes) {}

  template <class... T>
  void operator()(T&... values) {
    (get(values), ...);
  }

  /// set(i, number) for each of n numbers.
  template <class Get, class Set>
  void column(std::size_t n, const Get& /*get*/, const Set& set) {
    std::int64_t least = 0;
    std::uint8_t width = 0;
    get(least);
    get(width);
    good_ = good_ && width <= sizeof(std::uint64_t) && (width == 0 || n <= bytes_.size() / width);
    if (!good_) {
      return;
    }
    for (std::size_t i = 0; i < n; ++i) {
      std::uint64_t offset = 0;
      std::memcpy(&offset, bytes_.data() + i * width, width);
      set(i, static_cast<std::int64_t>(static_cast<std::uint64_t>(least) + offset));
    }
    bytes_.remove_prefix(n * width);
  }

  /// Every byte was read, and none was missing.
  [[nodiscard]] bool whole() const { return good_ && bytes_.empty(); }

 private:
  template <class T>
    requires std::is_arithmetic_v<T> || std::is_enum_v<T>
  void get(T& value) {
    good_ = good_ && bytes_.size() >= sizeof(T);
    if (good_) {
      bytes_.copy(reinterpret_cast<char*>(&value), sizeof(T));
      bytes_.remove_prefix(sizeof(T));
    }
  }

  /// A number of items, each of at least one byte.
  std::size_t count() {
    std::uint64_t count = 0;
    get(count);
    good_ = good_ && count <= bytes_.size();
    return good_ ? count : 0;
  }

  void get(std::string& text) {
    const std::size_t size = count();
    text = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
  }

  template <class T>
  void get(std::vector<T>& items) {
    items.resize(count());
    for (T& item : items) {
      get(item);
    }
  }

  template <class K, class V>
  void get(std::map<K, V>& items) {
    for (std::size_t left = count(); left > 0 && good_; --left) {
      std::pair<K, V> item;
      get(item);
      items.insert(std::move(item));
    }
  }

  void get(std::set<std::string>& items) {
    for (std::size_t left = count(); left > 0 && good_; --left) {
      std::string item;
      get(item);
      items.insert(std::move(item));
    }
  }

  template <class T, std::size_t N>
  void get(std::array<T, N>& items) {
    for (T& item : items) {
      get(item);
    }
  }

  template <class T>
  void get(std::optional<T>& value) {
    bool there = false;
    get(there);
    if (there) {
      get(value.emplace());
    }
  }

  template <class A, class B>
  void get(std::pair<A, B>& value) {
    get(value.first);
    get(value.second);
  }

  template <class T>
    requires std::is_class_v<T>
  void get(T& value) {
    archive(*this, value);
  }

  std::string_view bytes_;
  bool good_ = true;
};

}  // namespace sortie::analysis
