#!/usr/bin/env python3
"""`sortie check` says of every route whether it is reached, its key is valid, its model is there, and who shares a pool."""
import json
import unittest

from sortie_test import SortieTest

LIMIT = "    limits: [{{name: rpm, requests_per_minute: 600, per: [{per}]}}]\n"


class Check(SortieTest):
    def check(self, *flags, code=0):
        return json.loads(self.sortie("check", "endpoints.yaml", "--json", *flags, check=code).stdout)

    def test_tells_each_kind_of_trouble_apart(self):
        urls, _ = self.simulate(self.provider())
        self.campaign(urls[0], keys=2)
        endpoints = (self.folder / "endpoints.yaml").read_text()
        endpoints += "      - {model: sim-large, api_name: not-there, keys: [key-1], served_as: [x]}\n"
        endpoints += ("  nobody:\n    dialect: openai\n    base_url: http://127.0.0.1:1/v1\n    simulated: true\n"
                      "    routes: [{model: sim-large, api_name: sim-large}]\n")
        self.write("endpoints.yaml", endpoints)
        self.environment["KEY_2"] = "canary-wrong-key"
        found = self.check(code=1)
        self.assertFalse(found["ok"])
        states = {route["route"]: (route["ok"], route["reachable"], route["key_valid"], route["deployment_exists"])
                  for route in found["routes"]}
        self.assertEqual(states, {"pool/key-1/sim-large": (True, True, True, True),
                                  "pool/key-2/sim-large": (False, True, False, None),
                                  "pool/key-1/not-there": (False, True, True, False),
                                  "nobody/no-key/sim-large": (False, False, None, None)})
        self.assertNotIn("canary", json.dumps(found))

    def test_keys_that_share_a_pool_are_found_and_others_are_not(self):
        for per, pools in (("model", [["pool/key-1/sim-large", "pool/key-2/sim-large", "pool/key-3/sim-large"]]), ("key", [])):
            urls, _ = self.simulate(self.provider(rest=LIMIT.format(per=per)))
            self.campaign(urls[0], keys=3)
            self.assertEqual(self.check("--pools")["shared_pools"], pools, per)

    def test_keys_that_share_a_limit_are_named_as_a_run_names_them(self):
        urls, _ = self.simulate(self.provider(rest=LIMIT.format(per="model")))
        self.campaign(urls[0], keys=2)
        found = self.check("--pools")["shared_limits"]
        self.assertEqual([(one["name"], one["subject"], one["remembered"]) for one in found],
                         [("pool/key-1/sim-large + pool/key-2/sim-large", "key-1 and key-2 of pool", False)])
        text = self.sortie("check", "endpoints.yaml", "--pools").stdout
        self.assertIn("key-1 and key-2 of pool seem to share one limit that the endpoints file does not declare", text)
        self.assertIn("limits:", text)

    def test_what_earlier_runs_found_is_named_until_it_is_no_longer_so(self):
        both = "pool/key-1/sim-large + pool/key-2/sim-large"
        urls, _ = self.simulate(self.provider())
        self.campaign(urls[0], keys=2, instances=2)
        self.sortie("run", "campaign.yaml", "--quiet", "--limit", 1, "--dir", "runs/first", check=0)
        keys = [path.stem for path in (self.folder / "state/sortie/keys").iterdir()]
        self.assertEqual(len(keys), 2)
        self.assertEqual(self.check()["shared_limits"], [])

        self.remember(keys, both, "requests", 600, confidence=1, age_days=0.5)
        proved = self.remembered()
        found = self.check()["shared_limits"]
        self.assertEqual([(one["subject"], one["remembered"]) for one in found], [("key-1 and key-2 of pool", True)])
        text = self.sortie("check", "endpoints.yaml").stdout
        self.assertIn("key-1 and key-2 of pool seem to share one limit that the endpoints file does not declare "
                      "(an earlier run found it)", text)
        self.assertIn("requests_per_minute: 600, learn: true", text)
        plan = json.loads(self.sortie("plan", "campaign.yaml", "--json", check=0).stdout)
        self.assertTrue(plan["estimated_bound"])
        self.assertIn(both, json.dumps(plan))

        # A run paces them as one, and says so; using it is no proof.
        run = json.loads(self.sortie("run", "campaign.yaml", "--json", "--quiet", check=0).stdout)
        self.assertEqual([(one["name"], one["remembered"], one["over"]) for one in run["shared_limits"]], [(both, True, False)])
        self.assertEqual([(row[0], row[4]) for row in self.remembered() if row[0] == both],
                         [(row[0], row[4]) for row in proved])

        # After a day it is only suspected, after a month forgotten.
        self.remember(keys, both, "requests", 600, confidence=1, age_days=2)
        self.assertEqual(len(self.check()["shared_limits"]), 1)
        run = json.loads(self.sortie("run", "campaign.yaml", "--json", "--quiet", "--dir", "runs/third", check=0).stdout)
        self.assertEqual(run["shared_limits"], [])
        self.remember(keys, both, "requests", 600, confidence=1, age_days=31)
        self.assertEqual(self.check()["shared_limits"], [])
        self.remember(keys, both, "requests", 600, confidence=0)
        self.assertEqual(self.check()["shared_limits"], [])
        # Another key is another matter.
        self.remember(keys, both, "requests", 600, confidence=1)
        self.assertEqual(len(self.check()["shared_limits"]), 1)
        self.environment["KEY_2"] = "canary-key-3"
        self.assertEqual(self.check()["shared_limits"], [])

    def test_its_exit_code_is_honest(self):
        urls, _ = self.simulate(self.provider())
        self.campaign(urls[0])
        self.assertTrue(self.check()["ok"])
        self.environment["KEY_1"] = "canary-wrong-key"
        self.check(code=1)
        self.environment.pop("KEY_1")
        self.check(code=2)


if __name__ == "__main__":
    unittest.main()
