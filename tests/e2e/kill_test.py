#!/usr/bin/env python3
"""SIGKILL at random bytes of the log's growth, over campaigns whose provider has faults: the same command goes on, the
table is the undisturbed one, no turn that the ledger held is asked again, and the bill agrees with the attempts.

The quick form kills 100 times, SORTIE_FULL=1 1,000 times."""
import os
import random
import signal
import struct
import subprocess
import unittest

from sortie_test import FULL, SORTIE, SortieTest

KILLS = 1000 if FULL else 100
KILLS_OF_A_CAMPAIGN = 100 if FULL else 50
VERIFY_EVERY = 1 if FULL else 10
LOG_BYTES_MAX = 330_000  # of growth until a kill

FAULTS = """    faults:
      - {kind: http_500, probability: 0.02}
      - {kind: reset, probability: 0.01}
      - {kind: truncated_body, probability: 0.01}
      - {kind: invalid_json, probability: 0.01}
      - {kind: rate_limited, probability: 0.01, retry_after: 20ms}
"""

WAL_HEADER = 32
WAL_FRAME = 24 + 4096


class Kill(SortieTest):
    def log_size(self):
        try:
            return os.stat(self.log).st_size
        except FileNotFoundError:
            return 0

    def run_and_kill(self, log_bytes):
        """Runs until the log has grown by this many bytes since it was begun anew, and kills. True if it was killed
        before it ended."""
        before = self.log_size()
        process = subprocess.Popen([SORTIE, "run", "campaign.yaml", "--quiet"], cwd=self.folder, env=self.environment,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            while process.poll() is None:
                # A start copies the log that a killed one left into the file, and empties it.
                for _ in range(100):
                    size = self.log_size()
                    if size < before:
                        before = 0
                    if before == 0 and size >= log_bytes:
                        process.send_signal(signal.SIGKILL)
                        process.wait()
                        return process.returncode == -signal.SIGKILL
            self.assertEqual(process.returncode, 0, process.stderr.read())
            return False
        finally:
            process.stderr.close()

    def is_mid_commit(self):
        """Whether the killed process left a commit half written."""
        with open(self.log, "rb") as log:
            data = log.read()
        frames, rest = divmod(len(data) - WAL_HEADER, WAL_FRAME)
        if frames <= 0 or rest:
            return True
        pages_if_commit = struct.unpack_from(">I", data, WAL_HEADER + (frames - 1) * WAL_FRAME + 4)[0]
        return pages_if_commit == 0

    def start_provider(self):
        """Writes campaign.yaml and what it needs; a new simulator, so that its log holds one run alone. Returns the log."""
        (self.folder / "audit.jsonl").unlink(missing_ok=True)
        urls, audit = self.simulate(self.provider(latency=4, rest=FAULTS))
        self.campaign(urls[0], instances=12)
        return audit

    def kill_a_campaign(self, kills_left, rng, audit):
        """Kills runs of the campaign until it ends or was killed often enough. Returns for each turn that the ledger held
        at a kill how many requests the provider had judged by then, and the number of kills."""
        held = {}
        kills = 0
        while kills < min(kills_left, KILLS_OF_A_CAMPAIGN) and self.run_and_kill(rng.randrange(1, LOG_BYTES_MAX)):
            kills += 1
            self.mid_commit += self.is_mid_commit()
            # Before the next start, on the files as the kill left them.
            if kills % VERIFY_EVERY == 0:
                self.sortie("verify", "runs/test", check=0)
            judged = len(self.audit_entries(audit))
            for turn in self.query("SELECT lower(hex(t.key)), u.turn FROM turn u JOIN trial t ON t.id = u.trial"):
                held.setdefault(turn, judged)
        return held, kills

    def check_requests(self, entries, held):
        """The provider's log against the ledger. Returns what is worth printing."""
        attempts = {f"{key}/{turn}/{number}": rest for key, turn, number, *rest in self.query(
            "SELECT lower(hex(t.key)), a.turn, a.number, e.cause, e.cost, e.billing_known, a.reserved_cost FROM attempt a "
            "JOIN trial t ON t.id = a.trial LEFT JOIN attempt_end e ON e.attempt = a.id")}
        sent = [f"{entry['trial']}/{entry['turn']}/{entry['attempt']}" for entry in entries]
        self.assertEqual(len(sent), len(set(sent)), "an attempt was sent twice")
        self.assertLessEqual(set(sent), set(attempts), "a request was sent that is no attempt")

        asked = {}  # by turn: attempts that were answered, or that nobody knows the end of
        for place, (name, entry) in enumerate(zip(sent, entries, strict=True)):
            turn = (entry["trial"], entry["turn"])
            self.assertLess(place, held.get(turn, len(entries)), f"turn {turn} was asked again though the ledger held it")
            cause, cost, billing_known, reserved = attempts[name]
            if cause in ("answered", None):
                asked[turn] = asked.get(turn, 0) + 1
            billed = entry["cost_usd"] * 1e6
            if cause is not None and billing_known:
                self.assertLessEqual(abs(billed - cost), 1, f"{name} was recorded with another cost than billed")
            else:
                self.assertLessEqual(billed, reserved + 1, f"{name} cost more than was reserved for it")
        unknown = sum(1 for row in attempts.values() if row[0] is None)
        twice = sum(count - 1 for count in asked.values())
        self.assertLessEqual(twice, unknown, "more turns were asked twice than were in flight at the kills")
        return len(sent), unknown, twice

    def test_killed_runs_end_like_undisturbed_ones(self):
        self.log = self.folder / "runs/test/ledger.db-wal"
        self.mid_commit = 0
        self.start_provider()
        self.sortie("run", "campaign.yaml", "--quiet", "--dir", "runs/calm", check=0)
        calm = self.table("runs/calm")
        seed = random.randrange(1 << 30)
        print(f"seed {seed}")
        rng = random.Random(seed)
        kills = campaigns = requests = unknown = twice = 0
        while kills < KILLS:
            subprocess.run(["rm", "-rf", self.folder / "runs/test"], check=True)
            audit = self.start_provider()
            held, killed = self.kill_a_campaign(KILLS - kills, rng, audit)
            kills += killed
            campaigns += 1
            # One may end before a busy machine lets it be killed often, or be the last and need few kills.
            self.assertGreater(kills, 5 * (campaigns - 1), "campaigns ended before they could be killed")
            self.sortie("run", "campaign.yaml", "--quiet", check=0)
            self.assertEqual(self.table(), calm)
            self.sortie("verify", "runs/test", check=0)
            counts = self.check_requests(self.audit_entries(audit), held)
            requests, unknown, twice = (a + b for a, b in zip((requests, unknown, twice), counts, strict=True))
            # The whole takes long: what holds so far.
            print(f"{kills} of {KILLS} kills in {campaigns} campaigns, {self.mid_commit} of them in the middle of a commit; "
                  f"{requests} requests, {unknown} attempts unknown, {twice} turns asked twice", flush=True)
        self.assertGreater(self.mid_commit, 0)
        self.assertGreater(unknown, 0)


if __name__ == "__main__":
    unittest.main()
