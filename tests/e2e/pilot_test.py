#!/usr/bin/env python3
"""The reference campaigns on simulated models, over sockets: their sizes, and that their tables do not depend on how a run
went. SORTIE_FULL runs all 12,400 trials of pilot-all and kills ten times; otherwise two trials per type and cell and two kills."""
import json
import random
import re
import signal
import subprocess
import time
import unittest

from sortie_test import FULL, SORTIE, SOURCE, SortieTest

EXAMPLE = SOURCE / "examples/pilot"
KILLS = 10 if FULL else 2
LIMIT = [] if FULL else ["--limit", "2"]


class Pilot(SortieTest):
    def files(self, simulated=True):
        """The campaigns and their endpoints in the test's folder, talking to a simulator on a free port."""
        url = "http://127.0.0.1:1/v1"
        if simulated:
            profile = (EXAMPLE / "providers.yaml").read_text()
            urls, _ = self.simulate(re.sub(r"(listen: 127\.0\.0\.1):\d+", r"\1:0", profile), audit=False)
            url = urls[0]
        endpoints = (EXAMPLE / "endpoints.yaml").read_text()
        self.write("endpoints.yaml", re.sub(r"http://127\.0\.0\.1:\d+/v1", url, endpoints))
        for name in ("all", "closed", "paper"):
            self.write(f"pilot-{name}.yaml", (EXAMPLE / f"pilot-{name}.yaml").read_text())

    def test_the_campaigns_have_the_sizes_that_the_workload_gives(self):
        self.files(simulated=False)
        trials = {name: json.loads(self.sortie("plan", f"pilot-{name}.yaml", "--json", check=0).stdout)["trials"]
                  for name in ("all", "closed", "paper")}
        self.assertEqual(trials, {"all": 12_400, "closed": 7_800, "paper": 16_800})

    def test_plan_says_for_each_family_what_its_common_tasks_can_show(self):
        self.files(simulated=False)
        plan = json.loads(self.sortie("plan", "pilot-paper.yaml", "--json", check=0).stdout)
        tasks = [(family["family"], family["comparisons"], family["tasks"]) for family in plan["detectable"]]
        self.assertEqual(tasks, [("one comparison", 1, 300), ("one comparison", 1, 100), ("7 flaws (Holm)", 7, 100),
                                 ("7 models against DeepSeek-V3-0324 (Holm)", 7, 300), ("28 pairs of models (Holm)", 28, 300)])
        rounded = [(round(family["points_20"]), round(family["points_30"])) for family in plan["detectable"]]
        self.assertEqual(rounded[:3] + rounded[4:], [(7, 9), (13, 16), (16, 19), (10, 13)])
        text = self.sortie("plan", "pilot-paper.yaml", check=0).stdout
        self.assertIn("7 flaws (Holm), 100 tasks: 16 / 19", text)
        self.assertIn("28 pairs of models (Holm), 300 tasks: 10 / 13", text)
        only = self.sortie("plan", "pilot-paper.yaml", "--only", "5.4", check=0).stdout
        self.assertNotIn("flaws", only)

    def test_init_writes_each_campaign_with_endpoints_that_plan_accepts(self):
        for i in ("GATEWAY_KEY_1", "GATEWAY_KEY_2", "HOSTED_KEY"):
            self.environment[i] = "canary-key-1"
        for name, trials in (("all", 12_400), ("closed", 7_800), ("paper", 16_800)):
            written = json.loads(self.sortie("init", name, "--campaign", f"pilot-{name}", "--json", check=0).stdout)
            plan = json.loads(self.sortie("plan", written["campaign"], "--json", check=0).stdout)
            self.assertEqual(plan["trials"], trials)
        self.assertEqual(self.sortie("init", "other", "--campaign", "pilot-none").returncode, 2)
        self.assertFalse((self.folder / "other").exists())

    def run_and_kill(self, campaign, ledger_bytes):
        """Runs until the ledger has grown by so many bytes, and kills. True if it was killed before it ended."""
        start = self.ledger_bytes("runs/killed")
        process = subprocess.Popen([SORTIE, "run", campaign, "--dir", "runs/killed", "--quiet", *LIMIT, "--in-flight", "37",
                                    "--open", "61"], cwd=self.folder, env=self.environment, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        while process.poll() is None:
            size = self.ledger_bytes("runs/killed")
            if size != start and abs(size - start) >= ledger_bytes:
                process.send_signal(signal.SIGKILL)
                process.wait()
                return True
        self.assertEqual(process.returncode, 0)
        return False

    def test_the_table_of_pilot_all_is_the_same_in_another_order_with_other_concurrency_and_kills(self):
        self.files()
        started = time.monotonic()
        self.sortie("run", "pilot-all.yaml", "--quiet", *LIMIT, check=0, timeout=900)
        self.sortie("report", "pilot-all", check=0, timeout=300)
        seconds = time.monotonic() - started
        calm = self.table("runs/pilot-all")
        scored = sum(cell["n"] for cell in json.loads(calm)["cells"])
        print(f"{scored} trials and their report in {seconds:.1f} s")
        self.assertEqual(scored, 12_400 if FULL else 1_240)
        for scenario in ("5.1", "5.2", "5.3", "5.4", "5.5"):
            self.sortie("report", "pilot-all", "--only", scenario, "--format", "text", check=0, timeout=300)

        # The same campaign with its models in reverse order.
        text = (self.folder / "pilot-all.yaml").read_text()
        block = re.search(r"^models:\n((?:  - .*\n)+)", text, re.M)
        names = re.findall(r"(\S+)\n", block[1])
        self.assertEqual(len(names), 8)
        other = text.replace(block[0], "models: [" + ", ".join(reversed(names)) + "]\n")
        for anchor, name in re.findall(r"&(\S+) (\S+)", text):
            other = other.replace(f"*{anchor}", name)
        self.write("other-order.yaml", other)

        seed = random.randrange(1 << 30)
        print(f"seed {seed}")
        rng = random.Random(seed)
        size = (self.folder / "runs/pilot-all/ledger.db").stat().st_size
        kills = 0
        while kills < KILLS and self.run_and_kill("other-order.yaml", rng.randrange(size // (KILLS + 1))):
            kills += 1
        self.assertEqual(kills, KILLS, "the run ended before it could be killed")
        self.sortie("run", "other-order.yaml", "--dir", "runs/killed", "--quiet", *LIMIT, check=0, timeout=900)
        self.assertEqual(self.table("runs/killed"), calm)
        self.sortie("verify", "runs/killed", check=0)


if __name__ == "__main__":
    unittest.main()
