#!/usr/bin/env python3
"""What `plan` says of the time: the bottleneck in words, limits that earlier runs learned as an estimated bound, and what it
does not know."""
import json
import unittest

from sortie_test import SortieTest

LIMITS = "    limits:\n      - {per: [key], requests_per_minute: 600}\n"


class Plan(SortieTest):
    def plan(self):
        return self.sortie("plan", "campaign.yaml", check=0).stdout, json.loads(
            self.sortie("plan", "campaign.yaml", "--json", check=0).stdout)

    def test_names_the_bottleneck_in_words(self):
        self.campaign("http://127.0.0.1:1/v1", keys=2, limits=LIMITS, instances=20)
        text, document = self.plan()
        # 100 trials of ten requests over two keys of 600 a minute.
        self.assertIn("50.0 s at least; bottleneck: requests of pool/key-1 (and 1 more alike); 10 % more there saves", text)
        self.assertNotIn("not known", text)
        self.assertFalse(document["estimated_bound"])
        self.assertEqual(document["routes_without_known_limit"], [])

    def test_says_what_it_does_not_know(self):
        self.campaign("http://127.0.0.1:1/v1", keys=1, instances=20)
        text, document = self.plan()
        self.assertIn("not known: the limits of 1 route (pool/key-1/sim-large)", text)
        self.assertIn("no known limit does", text)
        self.assertEqual(document["routes_without_known_limit"], ["pool/key-1/sim-large"])

    def test_counts_limits_that_earlier_runs_learned(self):
        urls, _ = self.simulate(self.provider())
        self.campaign(urls[0], keys=1, instances=20)
        self.sortie("run", "campaign.yaml", "--quiet", "--limit", 1, "--dir", "runs/first", check=0)
        keys = list((self.folder / "state/sortie/keys").iterdir())
        self.assertEqual(len(keys), 1)
        self.remember([keys[0].stem], "pool/key-1/sim-large", "requests", 300)
        text, document = self.plan()
        self.assertIn("200.0 s", text.replace("3 min 20 s", "200.0 s"))
        self.assertIn("bottleneck: requests of pool/key-1/sim-large", text)
        self.assertIn("estimated bound", text)
        self.assertIn("requests of pool/key-1/sim-large: 300 per 60 s, 80 % sure", text)
        self.assertTrue(document["estimated_bound"])
        self.assertAlmostEqual(document["lower_bound_seconds"], 200, places=3)
        # Another key's memory is none of ours.
        self.environment["KEY_1"] = "canary-key-2"
        self.assertFalse(self.plan()[1]["estimated_bound"])


    def test_counts_as_done_only_what_it_plans(self):
        urls, _ = self.simulate(self.provider())
        self.campaign(urls[0], instances=1, scenarios="baseline, flawed")
        self.sortie("run", "campaign.yaml", "--quiet", "--only", "baseline", check=0)

        def counts(*arguments):
            plan = json.loads(self.sortie("plan", "campaign.yaml", "--json", *arguments, check=0).stdout)
            model = plan["models"][0]
            self.assertAlmostEqual(model["requests"], 10 * (plan["trials"] - plan["done"] - model["reused"]))
            return plan["trials"], plan["done"], model["reused"]
        self.assertEqual(counts(), (40, 5, 0))
        self.assertEqual(counts("--only", "baseline"), (5, 5, 0))
        self.assertEqual(counts("--only", "flawed"), (35, 0, 0))
        self.sortie("run", "campaign.yaml", "--quiet", "--only", "flawed", "--dir", "runs/flawed", check=0)
        self.assertEqual(counts("--only", "flawed", "--reuse", "runs/flawed"), (35, 0, 35))


if __name__ == "__main__":
    unittest.main()
