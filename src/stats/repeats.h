#pragma once

#include <cstdint>

namespace sortie::stats {

/// The chance that at least one of k draws from n repeats, c of them successes, without
/// replacement, is a success: the unbiased estimate of pass@k for one task (Chen et al. 2021,
/// "Evaluating Large Language Models Trained on Code"). Average over tasks. Precondition: c ≤ n, 1
/// ≤ k ≤ n.
[[nodiscard]] double pass_at_k(std::uint64_t n, std::uint64_t c, std::uint64_t k);

/// The chance that all k draws are successes: the unbiased estimate of pass^k for one task (Yao et
/// al. 2024, "τ-bench"). Same precondition.
[[nodiscard]] double pass_hat_k(std::uint64_t n, std::uint64_t c, std::uint64_t k);

}  // namespace sortie::stats
