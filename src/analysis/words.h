#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace sortie::analysis {

/// Texts that many rows share, by number in order of appearance.
class Words {
 public:
  /// The number of the text, which is added if it is new.
  std::uint32_t of(std::string_view text) {
    // Rows in the order of a ledger often repeat the text of the row before.
    if (last_ < texts_.size() && texts_[last_] == text) {
      return last_;
    }
    const auto known = numbers_.find(text);
    if (known != numbers_.end()) {
      last_ = known->second;
      return last_;
    }
    last_ = static_cast<std::uint32_t>(texts_.size());
    texts_.emplace_back(text);
    numbers_.emplace(texts_.back(), last_);
    return last_;
  }

  [[nodiscard]] const std::string& text(std::uint32_t number) const { return texts_[number]; }

  [[nodiscard]] const std::vector<std::string>& texts() const { return texts_; }

 private:
  template <class A>
  friend void archive(A& a, Words& words) {
    a(words.texts_);
    words.numbers_.clear();
    for (std::size_t i = 0; i < words.texts_.size(); ++i) {
      words.numbers_.emplace(words.texts_[i], static_cast<std::uint32_t>(i));
    }
  }

  struct Hash {
    using is_transparent = void;

    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>()(text);
    }
  };

  std::vector<std::string> texts_;
  std::unordered_map<std::string, std::uint32_t, Hash, std::equal_to<>> numbers_;
  std::uint32_t last_ = 0;
};

}  // namespace sortie::analysis
