#!/usr/bin/env python3
"""The report opens in a real browser without a network and shows its tables and figures."""
import json
import os
import re
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
        self.assertIn("4 figures", done.stdout)  # each scenario at a glance, its models with and without plan, its rates

    def test_a_route_whose_answers_are_empty_is_marked(self):
        for faults, is_marked in (("", False), ("    faults: [{kind: empty_answer, probability: 0.1}]\n", True)):
            urls, _ = self.simulate(self.provider(rest=faults))
            self.campaign(urls[0])
            self.sortie("run", "campaign.yaml", "--quiet", "--new", check=0)
            name = sorted(path.name for path in (self.folder / "runs").iterdir())[-1]
            answers, empty = self.query("SELECT count(*), sum(output_tokens = 0) FROM turn", f"runs/{name}")[0]
            self.assertEqual(empty > 0.02 * answers, is_marked)
            report = self.folder / self.sortie("report", name, check=0).stdout.strip()
            self.assertEqual('<td class="text mark">simulated, suspect</td>' in report.read_text(), is_marked)
            self.assertEqual(self.told_of_suspects(name), [is_marked] * 6)

    def told_of_suspects(self, run):
        """Whether each command flags the one route."""
        def asked(*command):
            return json.loads(self.sortie(*command, "--json", check=0).stdout)
        answers, empty = self.query("SELECT count(*), sum(output_tokens = 0) FROM turn", f"runs/{run}")[0]
        words = f"{empty} of {answers} answers hold no token, more than 2 %"
        route = asked("status", run)["routes"][0]
        self.assertEqual((route["answers"], route["empty_answers"]), (answers, empty))
        tables = asked("report", run)
        self.assertIn(tables.get("suspect_routes"), (None, [{"route": route["route"], "answers": answers, "empty_answers": empty}]))
        identity = asked("verify", run)["identity"]  # a hint: it fails no verification
        return [route["suspect"], "suspect_routes" in tables, identity["routes"][0]["suspect"],
                any(words in hint for hint in identity["hints"]),
                words in self.sortie("status", run, check=0).stdout,
                words in self.sortie("report", run, "--format", "text", check=0).stdout]

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

    def test_it_speaks_chinese_beside_english(self):
        urls, _ = self.simulate(self.provider())
        self.campaign(urls[0])
        self.sortie("run", "campaign.yaml", "--quiet", check=0)
        english = self.folder / self.sortie("report", "test", check=0).stdout.strip()
        before = english.read_bytes()
        chinese = self.folder / self.sortie("report", "test", "--lang", "zh", check=0).stdout.strip()
        self.assertEqual((chinese.name, english.read_bytes()), ("report.zh.html", before))
        page = chinese.read_text()
        self.assertIn('<html lang="zh-CN">', page)
        self.assertIn("置信区间", page)
        self.assertIn("置信区间", self.sortie("report", "test", "--lang", "zh", "--format", "text", check=0).stdout)
        numbers = [re.findall(r">([-+0-9.,–… %]+)</td>", text) for text in (before.decode(), page)]
        self.assertGreater(len(numbers[0]), 20)
        self.assertEqual(*numbers)
        self.assertIn("expected one of: en, zh", self.sortie("report", "test", "--lang", "cn", check=2).stderr)
        self.sortie("report", "test", "--lang", "zh", "--json", check=2)


if __name__ == "__main__":
    unittest.main()
