#!/usr/bin/env python3
"""Several campaigns in one process, over sockets: together they keep a key's limit, each has its own ledger, control and end,
and after a SIGKILL or a Ctrl-C the same command continues all of them."""
import json
import signal
import time
import unittest

from sortie_test import FULL, SortieTest

LIMIT = "{per: [key], requests_per_minute: 3000, enforced_over: 1s}"
# The server forgives a stall of the machine, 0.3 s of requests at once, and no more: two that each took the whole limit
# would be refused before half a second has passed.
BUCKET = "{per: [key], requests_per_minute: 3000, shape: token_bucket, burst: 15}"
SECOND = """version: 1
name: other
seed: 8
models: [sim-large]
scenarios: [baseline]
instances: {instances}
{more}"""


class Campaigns(SortieTest):
    def two(self, instances=None, more="", second=None):
        instances = instances or (20 if FULL else 3)
        urls, self.audit = self.simulate(self.provider(latency=30, rest=f"    limits: [{BUCKET}]\n"))
        self.campaign(urls[0], limits=f"    limits: [{LIMIT}]\n", instances=instances)
        self.write("other.yaml", SECOND.format(instances=second or instances, more=more))

    def run_both(self, *options, check=0):
        return self.sortie("run", "campaign.yaml", "other.yaml", "--quiet", *options, check=check)

    def start_both(self, *options):
        process = self.start_sortie("run", "campaign.yaml", "other.yaml", *options)
        self.wait_for(process, lambda: self.audit.exists() and len(self.audit_entries(self.audit)) > 40)
        return process

    def wait_for(self, process, condition, seconds=60):
        until = time.monotonic() + seconds
        while not condition():
            self.assertLess(time.monotonic(), until)
            self.assertIsNone(process.poll(), "the run ended")
            time.sleep(0.02)

    def live(self, run):
        return json.loads(self.sortie("status", run, "--json", check=0).stdout)["live"]

    def rejections(self):
        return [entry for entry in self.audit_entries(self.audit) if entry["status"] == 429]

    def tables_alone(self):
        tables = []
        for file in ("campaign.yaml", "other.yaml"):
            self.sortie("run", file, "--quiet", "--dir", "runs/alone-" + file, check=0)
            tables.append(self.table("runs/alone-" + file))
        return tables

    def check_both(self):
        """Both are complete, sound, and what each would be alone."""
        for run in ("runs/test", "runs/other"):
            self.sortie("verify", run, check=0)
        self.assertEqual([self.table("runs/test"), self.table("runs/other")], self.tables_alone())

    def test_they_share_the_limit_and_end_together(self):
        self.two()
        document = json.loads(self.run_both("--json").stdout)
        self.assertEqual(self.rejections(), [])
        first, second = document["campaigns"]
        self.assertEqual([(one["campaign"], one["run"], one["end"]) for one in (first, second)],
                         [("test", "runs/test", "complete"), ("other", "runs/other", "complete")])
        times = sorted((first["seconds"], second["seconds"]))
        bound = (first["turns"] + second["turns"]) / 50
        print(f"ended after {times[0]:.1f} and {times[1]:.1f} s, bound {bound:.1f} s")
        self.assertGreaterEqual(times[0], 0.75 * times[1])
        self.assertGreaterEqual(times[1], 0.95 * bound, "faster than the limit allows")
        self.check_both()
        # Again: nothing to do.
        sent = len(self.audit_entries(self.audit))
        done = self.run_both()
        self.assertEqual(len(self.audit_entries(self.audit)), sent)
        self.assertIn("== test ==", done.stdout)
        self.assertIn("== other ==", done.stdout)

    def test_killed_and_interrupted_both_go_on(self):
        self.two()
        process = self.start_both("--quiet")
        process.send_signal(signal.SIGKILL)
        process.wait()
        for run in ("runs/test", "runs/other"):
            self.assertGreater(self.query("SELECT count(*) FROM turn", run)[0][0], 0)
        sent = len(self.audit_entries(self.audit))
        process = self.start_sortie("run", "campaign.yaml", "other.yaml")
        self.wait_for(process, lambda: len(self.audit_entries(self.audit)) > sent + 30)
        process.send_signal(signal.SIGINT)
        text = process.communicate(timeout=30)[0]
        self.assertEqual(process.returncode, 130, text)
        self.assertRegex(text, r"(?m)^test: .* trials")
        self.assertRegex(text, r"(?m)^other: .* trials")
        self.assertEqual(text.count("Go on with: sortie run campaign.yaml other.yaml"), 2)
        # One of them alone, then both.
        self.sortie("run", "other.yaml", "--quiet", check=0)
        self.run_both()
        self.check_both()

    def test_each_is_steered_by_itself_and_limits_hold_for_both(self):
        self.two(instances=6, second=60)
        process = self.start_both("--quiet")
        refused = self.sortie("run", "other.yaml", "--dir", "runs/third", "--quiet", check=3)
        self.assertIn("sortie run A B", refused.stderr)
        self.assertIn("runs/test and runs/other", refused.stderr)
        self.sortie("control", "test", "pause", check=0)
        self.wait_for(process, lambda: self.live("test")["in_flight"] == 0)
        paused, going = self.live("test"), self.live("other")
        self.assertTrue(paused["paused"])
        self.assertFalse(going["paused"])
        self.wait_for(process, lambda: self.live("other")["turns"] > going["turns"] + 30)
        self.assertEqual(self.live("test")["turns"], paused["turns"])
        self.sortie("control", "test", "limit", "pool/key-1", "requests=2400/min", "--reason", "more", check=0)
        self.assertEqual([limit["quota"] for limit in self.live("other")["limits"]], [2400])
        self.sortie("control", "test", "unlimit", "pool/key-1", check=0)
        self.sortie("control", "other", "drain", check=0)
        self.sortie("control", "test", "resume", check=0)
        text = process.communicate(timeout=120)[0]
        self.assertEqual(process.returncode, 1, text)  # the worst: the drained one
        self.assertIn("Stopped: drained as asked", text)
        self.assertIn("Complete. Ledger runs/test/ledger.db", text)
        for run, own in (("runs/test", 4), ("runs/other", 1)):
            through = "json_extract(detail, '$.through')"
            counts = self.query(f"SELECT count(*), count({through}) FROM event WHERE kind = 'control'", run)[0]
            self.assertEqual(counts, (own, 0) if run == "runs/test" else (own + 2, 2))

    def test_what_does_not_fit_together_is_refused_with_its_place(self):
        self.two(more="endpoints: elsewhere.yaml\n")
        endpoints = (self.folder / "endpoints.yaml").read_text()
        for old, new, expected in [
            ("input: 0.5", "input: 0.7", "elsewhere.yaml:3:3: model 'sim-large' is not what "),
            ("minute: 3000", "minute: 2400", "elsewhere.yaml:5:3: endpoint 'pool' is not what "),
            ("  pool:", "  tank:", "elsewhere.yaml:3:3: model 'sim-large' is not what "),
        ]:
            self.write("elsewhere.yaml", endpoints.replace(old, new))
            refused = self.run_both(check=2).stderr
            self.assertIn(expected, refused)
            self.assertIn("endpoints.yaml:", refused.replace("elsewhere.yaml:", ""))
        # The same key under another name.
        other = endpoints.replace("  pool:", "  tank:").replace("sim-large", "sim-other")
        self.write("elsewhere.yaml", other)
        self.write("other.yaml", SECOND.format(instances=2, more="endpoints: elsewhere.yaml\n").replace("sim-large", "sim-other"))
        self.assertIn("elsewhere.yaml:9:19: tank/key-1 is the key that ", self.run_both(check=2).stderr)
        # Nothing was begun.
        self.assertFalse((self.folder / "runs").exists())
        self.write("other.yaml", SECOND.format(instances=2, more="").replace("name: other", "name: test"))
        self.assertIn("both named 'test'", self.run_both(check=2).stderr)
        self.assertIn("--dir names one run directory", self.run_both("--dir", "x", check=2).stderr)
        for file, more in (("campaign.yaml", "guaranteed: 0.6\n"), ("other.yaml", "guaranteed: 0.5\n")):
            text = (self.folder / file).read_text().replace("name: test", "name: " + file[:5])
            self.write(file, text + more)
        self.assertRegex(self.run_both(check=2).stderr, r"other.yaml:\d+:1: guaranteed: 0.5 makes 1.1 ")

    def test_the_same_in_virtual_time(self):
        self.two(instances=8, more="guaranteed: 0.5\n")
        document = json.loads(self.sortie("rehearse", "campaign.yaml", "other.yaml", "providers.yaml", "--json",
                                          check=0).stdout)
        self.assertTrue(document["complete"])
        self.assertEqual(document["rejected"], 0)
        self.assertEqual(sum(limit["early_arrivals"] + limit["refused"] for limit in document["limits"]), 0)
        self.assertEqual([one["campaign"] for one in document["campaigns"]], ["test", "other"])
        self.assertIn("other: ", self.sortie("rehearse", "campaign.yaml", "other.yaml", "providers.yaml", check=0).stdout)


if __name__ == "__main__":
    unittest.main()
