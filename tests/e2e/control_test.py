#!/usr/bin/env python3
"""A run is steered while it goes on: pausing stops sending, a limit is obeyed, a key taken out gets nothing, and every change
is in the ledger with its author and reason. By the simulator's audit."""
import fcntl
import json
import os
import pathlib
import pty
import re
import shutil
import signal
import stat
import struct
import subprocess
import termios
import threading
import time
import unittest

from sortie_test import SORTIE, SortieTest

LIMITS = "    limits:\n      - {per: [key], requests_per_minute: 1800, enforced_over: 1s}\n"


class Control(SortieTest):
    def start_run(self, keys=2, instances=40, limits=LIMITS):
        urls, self.audit = self.simulate(self.provider(latency=40))
        self.campaign(urls[0], keys=keys, limits=limits, instances=instances)
        self.process = self.start_sortie("run", "campaign.yaml", "--quiet")
        self.wait_for(lambda: self.audit.exists() and self.sent() > 40, "the run does not start")

    def sent(self, key=None):
        return sum(1 for entry in self.audit_entries(self.audit) if key is None or entry["key"] == key)

    def wait_for(self, condition, message, seconds=60):
        until = time.monotonic() + seconds
        while not condition():
            self.assertLess(time.monotonic(), until, message)
            if self.process.poll() is not None:
                self.fail(f"the run ended with {self.process.returncode}: {self.process.communicate()[0]}")
            time.sleep(0.02)

    def control(self, *words, check=0):
        return self.sortie("control", "test", *words, check=check)

    def live(self):
        return json.loads(self.sortie("status", "test", "--json", check=0).stdout)["live"]

    def still(self):
        """Waits until nothing is in flight; the number of requests sent by then."""
        self.wait_for(lambda: self.live()["in_flight"] == 0, "requests stay in flight")
        return self.sent()

    def events(self):
        return [json.loads(detail) for detail, in self.query("SELECT detail FROM event WHERE kind = 'control' ORDER BY id")]

    def test_pause_stops_sending_and_resume_goes_on(self):
        self.start_run()
        done = self.control("pause", "--dry-run")
        self.assertEqual(done.stdout, "would change: run paused\n")
        self.assertFalse(self.live()["paused"])
        self.assertEqual(self.control("pause", "--reason", "quiet hours").stdout, "run paused\n")
        sent = self.still()
        time.sleep(1)
        self.assertEqual(self.sent(), sent, "a paused run has sent a request")
        self.assertTrue(self.live()["paused"])
        self.assertIn("nothing to change", self.control("pause").stdout)
        self.assertIn("paused", self.sortie("status", "test", check=0).stdout)
        self.control("resume")
        self.wait_for(lambda: self.sent() > sent + 40, "it does not go on")
        self.control("pause", "sim-large")
        sent = self.still()
        time.sleep(0.5)
        self.assertEqual(self.sent(), sent, "a paused model has sent a request")
        self.control("resume", "sim-large")
        self.wait_for(lambda: self.sent() > sent, "the model does not go on")

        events = self.events()
        self.assertEqual([event["action"] for event in events], ["pause", "resume", "pause", "resume"])
        self.assertEqual(events[0]["reason"], "quiet hours")
        self.assertIn(f"uid {os.geteuid()}", events[0]["author"])
        self.assertIn("quiet hours", self.sortie("status", "test", check=0).stdout)

    def test_top_shows_a_run_of_another_process_and_status_its_levels(self):
        self.start_run(instances=24)
        once = self.sortie("top", "test", "--once", check=0).stdout
        for part in ("test  ", " of 120 trials", " turns/s  ", "  sim-large ", "flying", "  pool/key-1/sim-large ", "/1800 req/min"):
            self.assertIn(part, once)
        self.assertRegex(once, r"pool/key-1/sim-large .* \d+ ms +\d+ ms\n")
        self.assertLessEqual(max(map(len, once.splitlines())), 80)

        levels = json.loads(self.sortie("status", "test", "--json", check=0).stdout)["levels"]
        self.assertEqual([one["provider"] for one in levels["providers"]], ["pool"])
        instances = levels["providers"][0]["instances"]
        self.assertEqual([one["instance"] for one in instances], ["pool/key-1/sim-large", "pool/key-2/sim-large"])
        for instance in instances:
            self.assertEqual([(one["domain"], one["quota"], one["shared_by"]) for one in instance["limits"]],
                             [(instance["instance"].rsplit("/", 1)[0], 1800, [])])
            self.assertGreater(instance["limits"][0]["use"], 0)
            self.assertLess(0, instance["latency_p50_seconds"])
            self.assertLessEqual(instance["latency_p50_seconds"], instance["latency_p95_seconds"])
        cells = levels["cell_ranges"]
        self.assertEqual([(one["model"], one["scenario"], one["cells"], one["planned"]) for one in cells],
                         [("sim-large", "baseline", 1, 120)])
        self.assertEqual((levels["in_flight"]["requests_limit"], levels["in_flight"]["dialogues_limit"]), (None, 10000))

        screen, piped = self.watch_in_a_terminal(), self.start_sortie("top", "test")
        self.assertEqual(self.process.wait(120), 0)
        text = screen()
        self.assertGreater(text.count("\x1b[J"), 2, "it is not drawn again")
        self.assertNotRegex(text, "\x1b\\[[0-9;]*m", "NO_COLOR is not honoured")
        for line in text.replace("\r", "").split("\n"):
            self.assertLessEqual(len(re.sub("\x1b\\[[0-9]*[AJ]", "", line)), 80, line)
        self.assertIn("test has ended: sortie status test", text)
        out, _ = piped.communicate(timeout=30)
        self.assertNotIn("\x1b", out)
        self.assertRegex(out, r"\d+/120 trials, 0 lost, .*\ntest has ended: sortie status test\n$")
        self.assertIsNone(json.loads(self.sortie("status", "test", "--json", check=0).stdout)["levels"])
        self.assertIn("no run is going on", self.sortie("top", "test", check=3).stderr)

    def watch_in_a_terminal(self):
        """Starts `top` in a terminal of 80 × 24 without colours. Returns what waits for its end and gives what it wrote."""
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        environment = {name: value for name, value in self.environment.items() if name != "CI"}
        process = subprocess.Popen([SORTIE, "top", "test"], cwd=self.folder, stdout=theirs, stderr=theirs,
                                   env={**environment, "TERM": "xterm", "NO_COLOR": "1"})
        os.close(theirs)
        self.addCleanup(self.end, process)
        parts = []

        def read():
            while True:
                try:
                    part = os.read(ours, 65536)
                except OSError:
                    break  # the other side is closed
                if not part:
                    break
                parts.append(part)
            os.close(ours)

        reader = threading.Thread(target=read)
        reader.start()

        def ended():
            self.assertEqual(process.wait(30), 0)
            reader.join(10)
            return b"".join(parts).decode()

        return ended

    def test_a_limit_is_obeyed_and_lifted(self):
        self.start_run(keys=1)
        domain = self.live()["limits"][0]["domain"]
        self.assertIn("120 requests/min", self.control("limit", domain, "requests=120/min", "--reason", "asked").stdout)
        start, mark = self.still_or_now(), time.monotonic()
        time.sleep(3)
        rate = (self.sent() - start) / (time.monotonic() - mark)
        print(f"{rate:.2f} requests/s under a limit of 2/s")
        self.assertLess(rate, 2.4)
        self.assertGreater(rate, 1)
        self.assertIn("was 120 requests/min", self.control("unlimit", domain).stdout)
        start = self.sent()
        self.wait_for(lambda: self.sent() > start + 40, "the declared limit does not come back", 10)
        self.control("limit", domain, "concurrency=1")
        self.wait_for(lambda: self.live()["in_flight"] <= 1, "more than one in flight")
        for _ in range(10):
            self.assertLessEqual(self.live()["in_flight"], 1)

    def still_or_now(self):
        time.sleep(0.3)
        return self.sent()

    def test_a_key_is_taken_out_and_back(self):
        self.start_run()
        self.control("disable", "pool/key-2", "--reason", "leaked")
        self.wait_for(lambda: all(route["in_flight"] == 0 for route in self.live()["routes"] if not route["usable"]), "in flight")
        taken, others = self.sent("key-2"), self.sent("key-1")
        self.wait_for(lambda: self.sent("key-1") > others + 40, "the other key does not go on")
        self.assertEqual(self.sent("key-2"), taken)
        self.assertIn("leaked", self.sortie("status", "test", check=0).stdout)
        self.control("enable", "pool/key-2")
        self.wait_for(lambda: self.sent("key-2") > taken, "the key does not come back")

    def test_the_last_key_taken_out_waits_for_a_person(self):
        self.start_run(keys=1)
        self.control("disable", "pool/key-1")
        sent = self.still()
        time.sleep(0.5)
        self.assertIsNone(self.process.poll(), "the run ended")
        self.control("enable", "pool/key-1")
        self.wait_for(lambda: self.sent() > sent, "the key does not come back")

    def test_drain_finishes_what_is_open(self):
        self.start_run()
        self.control("drain", "--reason", "enough")
        out, _ = self.process.communicate(timeout=120)
        self.assertEqual(self.process.returncode, 1, out)
        self.assertIn("drained as asked", out)
        open_trials = self.query("SELECT count(*) FROM trial_state WHERE outcome IS NULL")[0][0]
        self.assertEqual(open_trials, 0)
        self.assertLess(self.query("SELECT count(*) FROM trial")[0][0], 200)
        self.assertIn("enough", self.sortie("report", "test", check=0).stdout + (self.folder / "runs/test/report.html").read_text())

    def test_bad_input_says_what_was_expected(self):
        self.start_run()
        for words, message in (
                (["pasue"], "did you mean 'pause'"),
                (["pause", "sim-lrge"], "did you mean 'sim-large'"),
                (["limit", "pool/key-9", "requests=600/min"], "no limit domain 'pool/key-9'"),
                (["limit", "pool/key-1"], "expected DOMAIN and limits"),
                (["limit", "pool/key-1", "requests=600"], "expected a number per s, min, h or day"),
                (["limit", "pool/key-1", "requests=-1/min"], "expected a number above zero"),
                (["limit", "pool/key-1", "request=1/min"], "did you mean 'requests'"),
                (["limit", "pool/key-1", "concurrency=0"], "expected a number above zero"),
                (["disable", "key-1"], "no key 'key-1'"),
                (["share", "sim-large"], "expected MODEL=WEIGHT"),
                (["share", "sim-large=0"], "expected a weight above 0"),
                (["drain", "now"], "expected nothing more")):
            done = self.control(*words, check=2)
            self.assertIn(message, done.stderr)
        self.assertEqual(self.events(), [])
        document = json.loads(self.control("pasue", "--json", check=2).stdout)
        self.assertEqual(document["error"]["code"], "invalid")

    def test_the_socket_is_the_owners_and_goes_with_the_run(self):
        self.start_run(instances=4)
        socket = self.folder / "runs/test/control.sock"
        self.assertEqual(stat.S_IMODE(socket.stat().st_mode), 0o600)
        self.assertEqual(stat.S_IMODE(socket.parent.stat().st_mode), 0o700)
        self.process.kill()
        self.process.wait()
        self.assertTrue(socket.exists())
        done = self.control("pause", check=3)
        self.assertIn("the last run there was killed", done.stderr)
        self.assertIsNone(self.live())
        # The next run replaces what is left of it.
        self.process = self.start_sortie("run", "campaign.yaml", "--quiet")
        self.wait_for(lambda: self.live() is not None, "the new run does not listen")
        self.control("pause")
        self.control("resume")
        self.assertEqual(self.process.wait(120), 0)
        self.assertFalse(socket.exists())
        self.assertIn("no run is going on", self.control("pause", check=3).stderr)
        self.assertIn("no run 'elsewhere'", self.sortie("control", "elsewhere", "pause", check=3).stderr)

    def test_a_key_is_one_processs_at_a_time(self):
        self.start_run(keys=1)
        done = self.sortie("run", "campaign.yaml", "--quiet", "--dir", "runs/second", check=3)
        self.assertIn("key pool/key-1 is being used by pid", done.stderr)
        self.assertIn(f"pid {self.process.pid} ", done.stderr)
        self.assertIn("run runs/test", done.stderr)
        self.assertIn("--share-key", done.stderr)
        self.assertNotIn("canary", done.stderr)
        self.assertIn("is being written", self.sortie("run", "campaign.yaml", "--quiet", check=3).stderr)
        self.sortie("run", "campaign.yaml", "--quiet", "--dir", "runs/second", "--limit", 1, "--share-key", check=0)
        self.process.kill()
        self.process.wait()
        self.sortie("run", "campaign.yaml", "--quiet", "--dir", "runs/third", "--limit", 1, check=0)
        state = self.folder / "state/sortie"
        self.assertEqual(stat.S_IMODE((state / "keys").parent.stat().st_mode) & 0o077, 0)
        for path in state.rglob("*"):
            self.assertNotIn(b"canary", path.name.encode() + (path.read_bytes() if path.is_file() else b""))

    def test_a_detached_run_goes_on_without_its_terminal(self):
        urls, self.audit = self.simulate(self.provider(latency=40))
        self.campaign(urls[0], limits=LIMITS, instances=40)
        begun = json.loads(self.sortie("run", "campaign.yaml", "--detach", "--json", check=0).stdout)
        self.addCleanup(self.kill, begun["process"])
        self.assertEqual(begun["runs"], ["runs/test"])
        self.assertNotEqual(os.getsid(begun["process"]), os.getsid(0))
        self.assertEqual(self.live()["paused"], False)
        refused = self.sortie("run", "campaign.yaml", "--detach", check=3)
        self.assertIn(f"is being written by pid {begun['process']} ", refused.stderr)
        os.kill(begun["process"], signal.SIGINT)
        output = self.folder / begun["output"]
        until = time.monotonic() + 60
        while not output.read_text().endswith("}\n"):
            self.assertLess(time.monotonic(), until, "it does not end")
            time.sleep(0.02)
        self.assertEqual(json.loads(output.read_text())["end"], "interrupted")
        self.assertEqual(output.stat().st_mode & 0o077, 0)
        bad = self.sortie("run", "nowhere.yaml", "--detach", check=2)
        self.assertIn("nowhere.yaml", bad.stderr)

    @staticmethod
    def kill(process):
        try:
            os.kill(process, signal.SIGKILL)
        except ProcessLookupError:
            pass

    @unittest.skipUnless(os.geteuid() == 0 and shutil.which("setpriv"), "needs to become another user")
    def test_another_user_is_refused(self):
        self.start_run()
        # Even root may not: it is not the user whose run this is.
        run = self.folder / "runs/test"
        uid = 65534
        self.process.kill()
        self.process.wait()
        (run / "control.sock").unlink()
        for path in [self.folder, *self.folder.rglob("*")]:
            os.chown(path, uid, uid)
        self.process = subprocess.Popen(["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", SORTIE, "run",
                                         "campaign.yaml", "--quiet"], cwd=self.folder, env=self.environment,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.addCleanup(self.end, self.process)
        self.wait_for(lambda: (run / "control.sock").exists(), "it does not listen")
        time.sleep(0.2)
        done = self.control("pause", check=3)
        self.assertIn("only that user may", done.stderr)
        self.assertEqual(self.events(), [])


if __name__ == "__main__":
    unittest.main()
