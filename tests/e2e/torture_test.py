#!/usr/bin/env python3
"""A campaign whose provider hangs, lies and hangs up loses no trial and no socket; a key that dies costs two requests."""
import contextlib
import os
import pathlib
import subprocess
import unittest

from sortie_test import FULL, SortieTest

KINDS = ("stall", "fin", "half_close", "reset", "head_stall", "slow_head", "drip", "comments", "truncated_body")


def sockets_of(process):
    """The states of a process's TCP sockets as /proc/net/tcp numbers them."""
    own = set()
    try:
        for name in os.listdir(f"/proc/{process}/fd"):
            try:
                own.add(os.readlink(f"/proc/{process}/fd/{name}"))
            except OSError:
                pass
    except OSError:
        return []
    lines = pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]
    return [line.split()[3] for line in lines if f"socket:[{line.split()[9]}]" in own]


class Torture(SortieTest):
    def test_faults_lose_no_trial_and_leave_no_dead_socket(self):
        # Each rule fires for its share of the requests; about one in four meets one of the nine.
        chance = 0.03
        rules = "".join(f"      - {{kind: {kind}, probability: {chance}, every: 50ms}}\n" for kind in KINDS)
        urls, audit = self.simulate(self.provider(rest="    faults:\n" + rules))
        self.campaign(urls[0], keys=3, instances=40 if FULL else 6, scenarios="baseline, prompts")
        endpoints = (self.folder / "endpoints.yaml").read_text()
        self.write("endpoints.yaml", endpoints.replace("    simulated: true\n", "    simulated: true\n    first_byte_timeout: 500ms\n"))
        process = self.start_sortie("run", "campaign.yaml", "--quiet")
        seen = []
        while process.poll() is None:
            states = sockets_of(process.pid)
            seen.append((states.count("08"), len(states)))
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=0.2)
        self.assertEqual(process.returncode, 0, process.stdout.read())
        # Exit code 0: every planned trial is scored.
        faults = sum(1 for entry in self.audit_entries(audit) if entry["decision"] == "fault")
        self.assertGreaterEqual(faults, 1000 if FULL else 100)
        # A socket may be in CLOSE_WAIT for the instant between the peer's FIN and our notice, never from one look to the next.
        for (before, _), (after, _) in zip(seen, seen[1:]):
            self.assertFalse(before > 2 and after > 2, seen)
        self.sortie("verify", "runs/test", check=0)
        slow = self.query("SELECT max(duration_us) FROM attempt_end")[0][0]
        self.assertLess(slow, 1_500_000)  # the limit and one second


class DeadKey(SortieTest):
    def run_with_revoked_key(self, from_request):
        fault = f"    faults: [{{kind: key_revoked, keys: [key-2], from_request: {from_request}}}]\n"
        urls, audit = self.simulate(self.provider(latency=30, rest=fault))
        self.campaign(urls[0], keys=3, instances=4)
        self.sortie("run", "campaign.yaml", "--quiet", check=0)
        entries = [entry for entry in self.audit_entries(audit) if entry["key"] == "key-2"]
        return [entry for entry in entries if entry["decision"] == "unauthorized"]

    def test_dead_from_the_start(self):
        self.assertLessEqual(len(self.run_with_revoked_key(1)), 2)

    def test_revoked_while_it_is_used(self):
        refused = self.run_with_revoked_key(15)
        self.assertGreater(len(refused), 0)
        first = min(entry["at_s"] for entry in refused)
        # What was on its way when the first refusal came back does not count.
        self.assertLessEqual(sum(1 for entry in refused if entry["at_s"] > first + 0.1), 2)


if __name__ == "__main__":
    unittest.main()
