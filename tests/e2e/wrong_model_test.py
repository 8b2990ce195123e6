#!/usr/bin/env python3
"""A served model other than the requested one never becomes a turn, over sockets and through the exit code."""
import unittest

from sortie_test import SortieTest

FAULT = "    faults:\n      - {kind: wrong_model, from_request: 10, served_as: tiny-7b}\n"


class WrongModel(SortieTest):
    def test_without_another_route_the_run_ends_with_losses(self):
        urls, _ = self.simulate(self.provider(rest=FAULT))
        self.campaign(urls[0])
        done = self.sortie("run", "campaign.yaml", "--quiet", check=1)
        self.assertIn("losses", done.stdout)
        self.assertEqual(self.query("SELECT count(*) FROM turn WHERE served_model <> 'sim-large'"), [(0,)])
        self.assertGreaterEqual(self.query("SELECT count(*) FROM outcome WHERE outcome = 'wrong_model'")[0][0], 1)
        self.assertEqual(self.query("SELECT count(*) FROM score JOIN outcome USING (trial) WHERE outcome.outcome <> 'scored'"),
                         [(0,)])
        self.sortie("verify", "runs/test", check=0)

    def test_check_prints_the_served_name_and_the_line_to_write(self):
        urls, _ = self.simulate(self.provider(rest=FAULT.replace("from_request: 10, ", "")))
        self.campaign(urls[0])
        done = self.sortie("check", "endpoints.yaml", check=1)
        self.assertIn("served_as: [tiny-7b]", done.stdout)

    def test_a_declared_name_is_accepted(self):
        urls, _ = self.simulate(self.provider(rest=FAULT.replace("from_request: 10, ", "")))
        self.campaign(urls[0])
        path = self.folder / "endpoints.yaml"
        path.write_text(path.read_text().replace("api_name: sim-large", "api_name: sim-large, served_as: [tiny-7b]"))
        self.sortie("run", "campaign.yaml", "--quiet", "--limit", 1, check=0)
        # Under whatever name the endpoint goes on, and wherever its results are taken over.
        path.write_text(path.read_text().replace("  pool:", "  again:"))
        self.sortie("run", "campaign.yaml", "--quiet", check=0)
        self.sortie("verify", "runs/test", check=0)
        path.write_text(path.read_text().replace("  again:", "  third:"))
        self.sortie("run", "campaign.yaml", "--quiet", "--dir", "runs/third", "--reuse", "runs/test", check=0)
        self.assertGreater(self.query("SELECT count(*) FROM reuse", "runs/third")[0][0], 0)
        self.sortie("verify", "runs/third", check=0)

    def test_verify_names_answers_that_today_s_file_does_not_declare(self):
        urls, _ = self.simulate(self.provider(rest=FAULT.replace("from_request: 10, ", "")))
        self.campaign(urls[0], instances=1)
        path = self.folder / "endpoints.yaml"
        plain = path.read_text()
        path.write_text(plain.replace("api_name: sim-large", "api_name: sim-large, served_as: [tiny-7b]"))
        self.sortie("run", "campaign.yaml", "--quiet", check=0)
        path.write_text(plain)
        self.sortie("run", "campaign.yaml", "--quiet", check=0)
        self.assertRegex(self.sortie("verify", "runs/test", check=3).stdout,
                         "FAILED served_models_are_declared: [0-9]+ turns of pool/key-1/sim-large were served by 'tiny-7b'")


if __name__ == "__main__":
    unittest.main()
