#!/usr/bin/env python3
"""The report opens in a real browser without a network and shows its tables and figures."""
import os
import subprocess
import unittest

from sortie_test import SOURCE, SortieTest


class Report(SortieTest):
    def test_it_opens_in_chromium_without_a_network(self):
        urls, _ = self.simulate(self.provider())
        self.campaign(urls[0], scenarios="baseline, reliability")
        self.sortie("run", "campaign.yaml", "--quiet", check=0)
        path = self.folder / self.sortie("report", "test", check=0).stdout.strip()
        done = subprocess.run([os.environ["NODE"], str(SOURCE / "tests/e2e/open_report.mjs"), str(path)],
                              capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("2 figures", done.stdout)

    def test_a_route_whose_answers_are_empty_is_marked(self):
        for faults, is_marked in (("", False), ("    faults: [{kind: empty_answer, probability: 0.1}]\n", True)):
            urls, _ = self.simulate(self.provider(rest=faults))
            self.campaign(urls[0])
            self.sortie("run", "campaign.yaml", "--quiet", "--new", check=0)
            name = sorted(path.name for path in (self.folder / "runs").iterdir())[-1]
            answers, empty = self.query("SELECT count(*), sum(output_tokens = 0) FROM turn", f"runs/{name}")[0]
            self.assertEqual(empty > 0.02 * answers, is_marked)
            report = self.folder / self.sortie("report", name, check=0).stdout.strip()
            self.assertEqual('<span class="mark">suspect</span>' in report.read_text(), is_marked)

    def test_a_part_does_not_replace_the_whole_report(self):
        urls, _ = self.simulate(self.provider())
        self.campaign(urls[0], scenarios="baseline, reliability")
        self.sortie("run", "campaign.yaml", "--quiet", check=0)
        whole = self.folder / self.sortie("report", "test", check=0).stdout.strip()
        before = whole.read_bytes()
        part = self.folder / self.sortie("report", "test", "--only", "5.4", check=0).stdout.strip()
        self.assertEqual((whole.name, part.name), ("report.html", "report-reliability.html"))
        self.assertEqual(whole.read_bytes(), before)
        self.assertNotIn("Scenario baseline", part.read_text())


if __name__ == "__main__":
    unittest.main()
