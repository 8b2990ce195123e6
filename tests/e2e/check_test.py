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
