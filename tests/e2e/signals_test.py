#!/usr/bin/env python3
"""Ctrl-C once saves and ends, twice ends at once; neither loses a finished turn, and both can be continued."""
import json
import os
import pty
import signal
import subprocess
import unittest

from sortie_test import SORTIE, SortieTest


class Signals(SortieTest):
    def start_and_interrupt(self, audit, signals):
        process = subprocess.Popen([SORTIE, "run", "campaign.yaml", "--quiet"], cwd=self.folder, env=self.environment,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            # The run is under way when the provider has answered thirty requests.
            while not audit.exists() or audit.read_text().count('"answered"') < 30:
                self.assertIsNone(process.poll(), "the run ended early")
            for _ in range(signals):
                process.send_signal(signal.SIGINT)
            out, _ = process.communicate(timeout=20)
            return process.returncode, out
        finally:
            self.end(process)
            process.stderr.close()

    def interrupted_run(self, signals):
        urls, audit = self.simulate(self.provider(latency=400))
        self.campaign(urls[0], instances=4)
        code, out = self.start_and_interrupt(audit, signals)
        self.assertEqual(code, 130)
        attempts = self.attempts()
        for entry in self.audit_entries(audit):
            self.assertIn(f"{entry['trial']}/{entry['turn']}/{entry['attempt']}", attempts)
        held = self.query("SELECT count(*) FROM turn")[0][0]
        self.assertGreater(held, 0)
        self.sortie("verify", "runs/test", check=0)
        done = json.loads(self.sortie("run", "campaign.yaml", "--quiet", "--json", check=0).stdout)
        self.assertEqual(done["scored"], done["planned"])
        self.assertEqual(self.query("SELECT count(*) FROM turn")[0][0], held + done["turns"])
        return out

    def test_once_saves_and_says_how_to_go_on(self):
        out = self.interrupted_run(1)
        self.assertIn("Interrupted; everything that was answered is saved", out)
        # Nothing in flight is left without an end: it was cancelled and recorded.
        self.assertEqual(self.query("SELECT count(*) FROM attempt WHERE id NOT IN (SELECT attempt FROM attempt_end)"), [(0,)])

    def test_twice_ends_at_once(self):
        self.interrupted_run(2)

    def test_a_terminal_that_goes_away_leaves_the_run_alone(self):
        urls, _ = self.simulate(self.provider(latency=100))
        self.campaign(urls[0], instances=4)
        master, slave = pty.openpty()
        environment = dict(self.environment, TERM="xterm")  # a terminal in front of somebody, wherever the test runs
        environment.pop("CI", None)
        run = subprocess.Popen([SORTIE, "run", "campaign.yaml"], cwd=self.folder, env=environment, stdout=subprocess.DEVNULL,
                               stderr=slave, start_new_session=True)
        self.addCleanup(self.end, run)
        os.close(slave)
        shown = b""
        while b"test" not in shown:  # the live view names the run; read() fails once the run has ended
            shown += os.read(master, 200)
        os.close(master)
        self.assertEqual(run.wait(60), 0)
        self.assertEqual(self.query("SELECT count(*) FROM outcome WHERE outcome = 'scored'"), [(20,)])


if __name__ == "__main__":
    unittest.main()
