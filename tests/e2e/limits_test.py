#!/usr/bin/env python3
"""Three keys of 600 RPM over real sockets: every key does its share. How fast that is and how seldom the server rejects is
asserted in virtual time (campaign_test) and, on an otherwise idle machine, by the full check."""
import json
import unittest

from sortie_test import FULL, SortieTest

LIMITS = "    limits:\n      - {per: [key], requests_per_minute: 600, enforced_over: 1s}\n"
TRUE_LIMITS = "    limits:\n      - {name: rpm, per: [key], requests_per_minute: 600, enforced_over: 1s, shape: sliding}\n"


class Limits(SortieTest):
    def start_provider(self, keys):
        if FULL:
            return self.quickstart(keys)
        urls, audit = self.simulate(self.provider(latency=150, rest=TRUE_LIMITS))
        self.campaign(urls[0], keys=keys, limits=LIMITS, instances=3)
        return audit

    def run_with(self, keys):
        audit = self.start_provider(keys)
        done = json.loads(self.sortie("run", "campaign.yaml", "--quiet", "--json", "--dir", f"runs/{keys}", check=0).stdout)
        entries = [entry for entry in self.audit_entries(audit) if entry["key"].startswith("key-")]
        audit.unlink()
        rejected = sum(1 for entry in entries if entry["status"] == 429)
        per_key = [sum(1 for entry in entries if entry["key"] == f"key-{i}") for i in range(1, keys + 1)]
        self.assertLess(max(per_key) - min(per_key), 0.1 * len(entries))
        bound = len(entries) / (10 * keys)
        print(f"{keys} keys: {len(entries)} requests, {rejected} rejected, {done['seconds']:.1f} s, "
              f"{done['seconds'] / bound:.3f} of the bound")
        if FULL:
            self.assertLessEqual(rejected, len(entries) / 1000)
            self.assertLessEqual(done["seconds"], 1.10 * bound)

    def test_three_keys_then_two(self):
        self.run_with(3)
        self.run_with(2)


if __name__ == "__main__":
    unittest.main()
