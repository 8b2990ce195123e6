#!/usr/bin/env python3
"""A campaign rehearsed in virtual time and run over sockets: the same requests, and with full counts the same time within
3 %, behind limits of rate (600, 300 and 150 requests a minute) and of concurrency (60, 30 and 15 at once)."""
import json
import unittest

from sortie_test import FULL, SortieTest

RATES = {"key-1": 600, "key-2": 300, "key-3": 150}
SLOTS = {"key-1": 60, "key-2": 30, "key-3": 15}
PRINT = "{name}: {virtual:.2f} s in virtual time, {real:.2f} s over sockets: {ratio:.4f}; {requests} requests, {rejected} rejected"


class Rehearse(SortieTest):
    def enforced(self, field, quotas, rest=""):
        return "    limits:\n" + "".join(
            f"      - {{name: {field}-{key}, per: [key], keys: [{key}], {field}: {quota}{rest}}}\n"
            for key, quota in quotas.items())

    def declared(self, field, quotas, rest=""):
        return "    limits:\n" + "".join(
            f"      - {{per: [key], keys: [{key}], {field}: {quota}{rest}}}\n" for key, quota in quotas.items())

    def play(self, name, enforced, declared, instances, latency=1000):
        urls, _ = self.simulate(self.provider(latency=latency if FULL else 100, rest=enforced))
        self.campaign(urls[0], keys=3, limits=declared, instances=instances)
        # In virtual time an endpoint talks to the provider of its name; the port is of no account.
        virtual = json.loads(self.sortie("rehearse", "campaign.yaml", "providers.yaml", "--json", check=0).stdout)
        real = json.loads(self.sortie("run", "campaign.yaml", "--quiet", "--json", check=0).stdout)
        self.assertEqual(virtual["rejected"], 0)
        self.assertTrue(all(limit["early_arrivals"] == 0 for limit in virtual["limits"]))
        self.assertEqual(virtual["scored"], real["scored"])
        self.assertEqual(virtual["requests"], real["turns"])
        ratio = real["seconds"] / virtual["seconds"]
        print(PRINT.format(name=name, virtual=virtual["seconds"], real=real["seconds"], ratio=ratio,
                           requests=virtual["requests"], rejected=real["attempts"] - real["turns"]))
        if FULL:
            self.assertGreaterEqual(ratio, 0.97)
            self.assertLessEqual(ratio, 1.03)

    def test_limits_of_rate(self):
        self.play("rate",
                  self.enforced("requests_per_minute", RATES, ", enforced_over: 1s, shape: token_bucket"),
                  self.declared("requests_per_minute", RATES, ", enforced_over: 1s"), 32 if FULL else 2)

    def test_limits_of_concurrency(self):
        self.play("concurrency", self.enforced("concurrency", SLOTS), self.declared("concurrency", SLOTS),
                  100 if FULL else 6, latency=2000)

    def test_nothing_is_kept_and_bad_files_are_named(self):
        self.write("providers.yaml", self.provider(latency=100, rest=""))
        self.campaign("http://127.0.0.1:9/v1")
        before = sorted(path.name for path in self.folder.iterdir())
        self.sortie("rehearse", "campaign.yaml", "providers.yaml", check=0)
        self.assertEqual(sorted(path.name for path in self.folder.iterdir()), before)
        failed = self.sortie("rehearse", "campaign.yaml", "campaign.yaml", check=2)
        self.assertRegex(failed.stderr, r"campaign\.yaml:\d+:\d+: ")


if __name__ == "__main__":
    unittest.main()
