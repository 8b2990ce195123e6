#!/usr/bin/env python3
"""The real binary over HTTP/2 against Node's implementation, which refuses, leaves, resets and hangs: nothing is lost."""
import json
import os
import subprocess
import unittest

import certificates
from sockets import Watch
from sortie_test import FULL, SOURCE, SortieTest

IN_FLIGHT = 24
LIMIT = f"    limits: [{{concurrency: {IN_FLIGHT}, per: [endpoint]}}]\n"


class Http2(SortieTest):
    def front(self, backend, fault_every):
        """Node before the simulator; returns its ports and the process."""
        certificates.authority(self.folder, "ca")
        certificate, key = certificates.issue(self.folder, "ca", "server")
        process = subprocess.Popen([os.environ["NODE"], SOURCE / "tests/h2/front.mjs", certificate, key, backend, str(fault_every)],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(self.end, process)
        self.addCleanup(process.stdin.close)
        return json.loads(process.stdout.readline()), process

    def run_through(self, server, fault_every, instances):
        """The campaign through one of the front's servers; returns what the front saw and the watch over the sockets."""
        urls, audit = self.simulate(self.provider(latency=20))
        ports, front = self.front(urls[0], fault_every)
        scheme = "http" if server == "plain" else "https"
        self.campaign(f"{scheme}://127.0.0.1:{ports[server]}/v1", keys=3, limits=LIMIT, instances=instances)
        endpoints = (self.folder / "endpoints.yaml").read_text()
        lines = "    first_byte_timeout: 500ms\n" + ("    http: http2\n" if server == "plain" else "    ca_file: ca.pem\n")
        self.write("endpoints.yaml", endpoints.replace("    simulated: true\n", "    simulated: true\n" + lines))
        process = self.start_sortie("run", "campaign.yaml", "--quiet")
        watch = Watch(process)
        # Exit code 0: every planned trial is scored.
        self.assertEqual(process.returncode, 0, process.stdout.read())
        seen = json.loads(front.communicate("", timeout=10)[0])
        self.assertEqual(seen["http1"], 0)
        self.assertEqual(watch.close_wait_that_stays(), [])
        self.assertLessEqual(watch.established_max(), IN_FLIGHT)
        self.assertGreater(watch.established_max(), 0)
        slow = self.query("SELECT max(duration_us) FROM attempt_end")[0][0]
        self.assertLess(slow, 1_500_000)  # the limit and one second
        self.sortie("verify", "runs/test", check=0)
        return seen

    def expect_no_harm(self, server):
        # A connection that dies takes all its streams along: with more faults than these the breakers are open most of the time.
        seen = self.run_through(server, fault_every=8, instances=50 if FULL else 6)
        self.assertEqual(len(seen["faults"]), 11, seen)
        self.assertGreaterEqual(sum(seen["faults"].values()), 200 if FULL else 20)
        self.expect_the_undisturbed_scores()

    undisturbed = None  # scores: those of the campaign, whatever server it goes through

    def expect_the_undisturbed_scores(self):
        if Http2.undisturbed is None:
            Http2.undisturbed = self.run_undisturbed()
        self.assertEqual(self.scores("runs/test"), Http2.undisturbed)

    def run_undisturbed(self):
        urls, _ = self.simulate(self.provider())
        endpoints = (self.folder / "endpoints.yaml").read_text().splitlines(keepends=True)
        self.write("endpoints.yaml", "".join(f"    base_url: {urls[0]}\n" if "base_url" in line else line for line in endpoints
                                             if "ca_file" not in line and "http: http2" not in line))
        self.sortie("run", "campaign.yaml", "--quiet", "--dir", "runs/plain", check=0)
        return self.scores("runs/plain")

    def test_over_tls(self):
        self.expect_no_harm("tls")

    def test_by_prior_knowledge(self):
        self.expect_no_harm("plain")

    def test_with_one_stream_at_a_time(self):
        self.expect_no_harm("single")

    def test_streams_share_connections(self):
        seen = self.run_through("tls", fault_every=10**9, instances=2)
        self.assertEqual(seen["faults"], {})
        self.assertGreater(seen["streams_at_once"], 1)
        self.assertLessEqual(seen["streams_at_once"], 64)


if __name__ == "__main__":
    unittest.main()
