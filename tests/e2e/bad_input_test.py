#!/usr/bin/env python3
"""Bad input gets file, line, column, what was expected and a hint, exit code 2, and nothing is written."""
import unittest

from sortie_test import CAMPAIGN, ENDPOINTS, SortieTest

GOOD_CAMPAIGN = CAMPAIGN.format(instances=2, scenarios="baseline")
GOOD_ENDPOINTS = ENDPOINTS.format(url="http://127.0.0.1:9/v1", keys='key-1: "env:KEY_1"', limits="")


class BadInput(SortieTest):
    def refuse(self, campaign=GOOD_CAMPAIGN, endpoints=GOOD_ENDPOINTS, *, place, says):
        self.write("endpoints.yaml", endpoints)
        self.write("campaign.yaml", campaign)
        done = self.sortie("run", "campaign.yaml")
        self.assertEqual(done.returncode, 2, done.stdout + done.stderr)
        self.assertRegex(done.stderr, place)
        for text in says:
            self.assertIn(text, done.stderr)
        self.assertFalse((self.folder / "runs").exists(), "something was written")
        return done.stderr

    def test_the_good_files_are_good(self):
        self.write("endpoints.yaml", GOOD_ENDPOINTS)
        self.write("campaign.yaml", GOOD_CAMPAIGN)
        self.sortie("plan", "campaign.yaml", check=0)

    def test_unknown_key(self):
        self.refuse(GOOD_CAMPAIGN + "instnces: 3\n", place=r"campaign\.yaml:9:1:", says=["instnces", "instances"])

    def test_unknown_key_in_endpoints(self):
        self.refuse(endpoints=GOOD_ENDPOINTS.replace("simulated:", "simulatd:"), place=r"endpoints\.yaml:8:5:",
                    says=["simulatd", "simulated"])

    def test_wrong_type(self):
        self.refuse(GOOD_CAMPAIGN.replace("instances: 2", "instances: two"), place=r"campaign\.yaml:8:12:", says=["two"])

    def test_unknown_model(self):
        self.refuse(GOOD_CAMPAIGN.replace("[sim-large]", "[sim-lrge]"), place=r"campaign\.yaml:6:10:",
                    says=["sim-lrge", "sim-large"])

    def test_missing_secret(self):
        del self.environment["KEY_1"]
        self.refuse(place=r"endpoints\.yaml:9:\d+:", says=["KEY_1"])

    def test_duplicate_name(self):
        self.refuse(GOOD_CAMPAIGN.replace("[sim-large]", "[sim-large, sim-large]"), place=r"campaign\.yaml:6:\d+:",
                    says=["sim-large"])

    def test_duplicate_key(self):
        self.refuse(GOOD_CAMPAIGN + "seed: 8\n", place=r"campaign\.yaml:9:1:", says=["seed"])

    def test_empty_matrix(self):
        self.refuse(GOOD_CAMPAIGN.replace("[baseline]", "[]"), place=r"campaign\.yaml:7:\d+:", says=["scenario"])

    def test_yaml_syntax_error(self):
        self.refuse(GOOD_CAMPAIGN.replace("[baseline]", "[baseline"), place=r"campaign\.yaml:\d+:\d+:", says=[])

    def test_key_file_readable_by_others(self):
        self.write("secret.txt", "sk-canary-file\n", mode=0o644)
        text = self.refuse(endpoints=GOOD_ENDPOINTS.replace("env:KEY_1", f"file:{self.folder}/secret.txt"),
                           place=r"endpoints\.yaml:9:\d+:", says=["secret.txt", "600"])
        self.assertNotIn("canary", text)

    def test_missing_file(self):
        done = self.sortie("run", "nowhere.yaml")
        self.assertEqual(done.returncode, 2)
        self.assertIn("nowhere.yaml", done.stderr)

    def test_usage(self):
        self.assertEqual(self.sortie().returncode, 2)
        self.assertEqual(self.sortie("run").returncode, 2)
        self.assertEqual(self.sortie("fly").returncode, 2)
        self.assertEqual(self.sortie("status", "no-such-run").returncode, 2)


if __name__ == "__main__":
    unittest.main()
