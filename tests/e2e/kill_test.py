#!/usr/bin/env python3
"""SIGKILL at random moments: the same command goes on, the table is the undisturbed one, nothing is asked twice that the
ledger held, and the provider's bill agrees with the attempts."""
import random
import signal
import subprocess
import unittest

from sortie_test import FULL, SORTIE, SortieTest

KILLS = 20 if FULL else 6


class Kill(SortieTest):
    def run_and_kill(self, audit, requests_bytes, ledger_bytes):
        """Runs until the simulator's log has grown by `requests_bytes` and then the ledger by `ledger_bytes`, and kills.
        True if it was killed before it ended."""
        requests_start = audit.stat().st_size
        ledger_start = None
        process = subprocess.Popen([SORTIE, "run", "campaign.yaml", "--quiet"], cwd=self.folder, env=self.environment,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            while process.poll() is None:
                if ledger_start is None:
                    if audit.stat().st_size - requests_start >= requests_bytes:
                        ledger_start = self.ledger_bytes()
                # A checkpoint shrinks the log: growth either way is progress.
                elif abs(self.ledger_bytes() - ledger_start) >= ledger_bytes:
                    process.send_signal(signal.SIGKILL)
                    process.wait()
                    return True
            self.assertEqual(process.returncode, 0, process.stderr.read())
            return False
        finally:
            process.stderr.close()

    def answered_turns(self):
        if not (self.folder / "runs/test/ledger.db").exists():
            return set()
        return set(self.query("SELECT lower(hex(t.key)), u.turn FROM turn u JOIN trial t ON t.id = u.trial"))

    def unknown_attempts(self):
        return {name for name, row in self.attempts().items() if row[0] is None}

    def start_provider(self):
        """Writes campaign.yaml and what it needs; a new simulator, so that its log holds one run alone. Returns the log."""
        audit = self.folder / "audit.jsonl"
        audit.unlink(missing_ok=True)
        if FULL:
            return self.quickstart()
        urls, audit = self.simulate(self.provider(latency=20))
        self.campaign(urls[0], instances=6)
        return audit

    def test_killed_runs_end_like_undisturbed_ones(self):
        audit = self.start_provider()
        self.sortie("run", "campaign.yaml", "--quiet", "--dir", "runs/calm", check=0)
        calm = self.table("runs/calm")
        # Kills all over the run, the last of them before its end.
        requests_bytes = 3 * audit.stat().st_size // (2 * KILLS)

        audit = self.start_provider()
        seed = random.randrange(1 << 30)
        print(f"seed {seed}")
        rng = random.Random(seed)
        kills = 0
        held = []  # turns that the ledger held at each kill
        while kills < KILLS:
            if not self.run_and_kill(audit, rng.randrange(requests_bytes), rng.randrange(20_000)):
                break
            kills += 1
            held.append(self.answered_turns())
            if held[-1]:
                lost = self.query("SELECT e.attempt FROM attempt_end e LEFT JOIN turn t ON t.attempt = e.attempt "
                                  "WHERE e.cause = 'answered' AND t.attempt IS NULL")
                self.assertEqual(lost, [], "a paid answer is no turn")
        self.assertEqual(kills, KILLS, "the run ended before it could be killed")
        self.sortie("run", "campaign.yaml", "--quiet", check=0)
        self.assertEqual(self.table(), calm)
        self.sortie("verify", "runs/test", check=0)

        attempts = self.attempts()
        entries = self.audit_entries(audit)
        sent = [entry["trial"] + f"/{entry['turn']}/{entry['attempt']}" for entry in entries]
        self.assertEqual(len(sent), len(set(sent)), "an attempt was sent twice")
        self.assertLessEqual(set(sent), set(attempts), "a request was sent that is no attempt")

        # No turn that the ledger held at a kill was asked again: each held turn has exactly one answered attempt, its last.
        by_turn = {}
        for name, entry in zip(sent, entries, strict=True):
            if entry["status"] != 200:
                continue  # rejected by a limit, which a killed process forgets how far it has used
            trial, turn, _ = name.split("/")
            by_turn.setdefault((trial, int(turn)), []).append(name)
        twice = sum(len(names) - 1 for names in by_turn.values())
        unknown = self.unknown_attempts()
        print(f"{kills} kills, {len(sent)} requests, {len(unknown)} attempts unknown, {twice} turns asked again")
        self.assertLessEqual(twice, len(unknown), "more turns were asked twice than were in flight at the kills")
        for turns in held:
            for turn in turns:
                answered = [name for name in by_turn[turn] if name not in unknown]
                self.assertEqual(len(answered), 1)
                self.assertEqual(answered[0], max(by_turn[turn], key=lambda name: int(name.split("/")[2])))

        # The bill lies between what ended attempts cost and that plus what unknown ones reserved.
        bill = sum(entry["cost_usd"] for entry in entries) * 1e6
        ended = sum(row[2] for row in attempts.values() if row[0] is not None)
        reserved = sum(row[3] for row in attempts.values() if row[0] is None)
        slack = len(attempts)  # each cost is rounded to a micro-dollar
        self.assertLessEqual(ended, bill + slack)
        self.assertLessEqual(bill, ended + reserved + slack)


if __name__ == "__main__":
    unittest.main()
