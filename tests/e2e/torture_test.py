#!/usr/bin/env python3
"""A campaign whose provider hangs, lies and hangs up loses no trial and no socket; a key that dies costs two requests."""
import collections

from sockets import Watch
from sortie_test import FULL, SortieTest, main

KINDS = ("stall", "fin", "half_close", "reset", "head_stall", "slow_head", "drip", "comments", "truncated_body", "broken_chunks",
         "broken_gzip", "invalid_utf8", "truncated_json")
# What comes in whole and cannot be read: how an attempt ends that meets one, plain and streamed.
GARBLED = {"broken_chunks": {("broken", "broken")}, "broken_gzip": {("broken", "broken")},
           "invalid_utf8": {("broken", "not_json"), ("broken", "truncated")},
           "truncated_json": {("broken", "not_json"), ("broken", "truncated")}}
CONNECT_LIMIT = 10  # seconds, of the transport


class Torture(SortieTest):
    def test_faults_lose_no_trial_and_leave_no_dead_socket(self):
        self.torture()

    def test_nor_do_they_in_streams(self):
        self.torture(options="    stream: true\n")

    def torture(self, options=""):
        # Each rule fires for its share of the requests: about one in four meets one of them, of the quick form one in ten. More
        # failures than that have to wait for answers that pay for their retries, which is most of the full form's time.
        chance, instances = (0.02, 40) if FULL else (0.01, 6)
        rules = "".join(f"      - {{kind: {kind}, probability: {chance}, every: 50ms}}\n" for kind in KINDS)
        urls, audit = self.simulate(self.provider(rest="    faults:\n" + rules))
        self.campaign(urls[0], keys=3, instances=instances, scenarios="baseline, prompts")
        endpoints = (self.folder / "endpoints.yaml").read_text()
        self.write("endpoints.yaml", endpoints.replace(
            "    simulated: true\n", "    simulated: true\n    first_byte_timeout: 500ms\n" + options))
        process = self.start_sortie("run", "campaign.yaml", "--quiet")
        watch = Watch(process)
        self.assertEqual(process.returncode, 0, process.stdout.read())
        # Exit code 0: every planned trial is scored.
        faults = collections.Counter(entry["reason"] for entry in self.audit_entries(audit) if entry["decision"] == "fault")
        self.assertEqual(set(faults), set(KINDS))
        self.assertGreaterEqual(faults.total(), 1000 if FULL else 50)  # a hundred with the streams
        self.assertEqual(watch.close_wait_that_stays(), [])
        self.sortie("verify", "runs/test", check=0)
        slow = self.query("SELECT max(duration_us) FROM attempt_end")[0][0]
        self.assertLess(slow, 1_500_000)  # the limit and one second
        codes = {code for (code,) in self.query("SELECT DISTINCT code FROM attempt_end WHERE cause = 'stall'")}
        self.assertLessEqual({"first_byte_timeout", "progress_timeout"}, codes)


class Garbled(SortieTest):
    def test_an_answer_that_cannot_be_read_is_asked_for_again(self):
        for kind, endings in GARBLED.items():
            # Chunks and compression are those of a body, streamed or not.
            for stream in ("false", "true") if kind in ("invalid_utf8", "truncated_json") else ("false",):
                with self.subTest(kind=kind, stream=stream):
                    (self.folder / "audit.jsonl").unlink(missing_ok=True)
                    urls, audit = self.simulate(self.provider(rest=f"    faults: [{{kind: {kind}, probability: 0.1}}]\n"))
                    self.campaign(urls[0], keys=3, instances=1)
                    endpoints = (self.folder / "endpoints.yaml").read_text()
                    self.write("endpoints.yaml", endpoints.replace("simulated: true\n", f"simulated: true\n    stream: {stream}\n"))
                    run = f"runs/{kind}-{stream}"
                    self.sortie("run", "campaign.yaml", "--quiet", "--dir", run, check=0)
                    found = self.query("SELECT cause, code FROM attempt_end WHERE cause <> 'answered'", run)
                    self.assertTrue(found)
                    self.assertLessEqual(set(found), endings)
                    self.assertEqual(len(found), sum(1 for entry in self.audit_entries(audit) if entry["reason"] == kind))


class Unreached(SortieTest):
    def expect_released(self, run, code, limit):
        found = self.query("SELECT cause, code, duration_us FROM attempt_end WHERE cause <> 'answered'", run)
        self.assertEqual({(cause, ended) for cause, ended, _ in found}, {("not_processed", code)})
        self.assertLess(max(duration for *_, duration in found), (limit + 1) * 1_000_000)

    def test_who_does_not_answer_who_connects_is_left_in_time_and_tried_again(self):
        # At once, since each waits for the limit on connecting.
        runs = []
        for kind in ("connection_refused", "black_hole", "slow_handshake"):
            name = kind.replace("_", "-")
            until = "8s" if kind == "connection_refused" else f"{CONNECT_LIMIT + 6}s"
            tls = "    tls: {throw_away: ca.pem}\n" if kind == "slow_handshake" else ""
            urls, _ = self.simulate(self.provider(rest=f"{tls}    faults: [{{kind: {kind}, until: {until}}}]\n"), audit=False)
            self.campaign(urls[0], keys=3, instances=2)
            endpoints = (self.folder / "endpoints.yaml").read_text()
            self.write(f"{name}.endpoints.yaml", endpoints.replace("true\n", "true\n    ca_file: ca.pem\n") if tls else endpoints)
            campaign = (self.folder / "campaign.yaml").read_text()
            self.write(f"{name}.yaml", campaign.replace("endpoints.yaml", f"{name}.endpoints.yaml"))
            process = self.start_sortie("run", f"{name}.yaml", "--quiet", "--share-key", "--dir", f"runs/{name}")
            runs.append((kind, name, process))
        for kind, name, process in runs:
            with self.subTest(kind=kind):
                self.assertEqual(process.wait(timeout=120), 0, process.stdout.read())
                refused = kind == "connection_refused"
                self.expect_released(f"runs/{name}", "connect" if refused else "connect_timeout", 0 if refused else CONNECT_LIMIT)

    def test_a_name_that_is_not_found_loses_no_trial(self):
        urls, _ = self.simulate(self.provider())
        self.campaign(urls[0], keys=3, instances=2)
        endpoints = (self.folder / "endpoints.yaml").read_text()
        # Longer than a label may be: no server has to be asked to know that there is none.
        endpoints += (f"  nowhere:\n    dialect: openai\n    base_url: http://{'n' * 64}.example/v1\n    simulated: true\n"
                      "    routes: [{model: sim-large, api_name: sim-large}]\n")
        self.write("endpoints.yaml", endpoints)
        self.sortie("run", "campaign.yaml", "--quiet", check=0)
        self.expect_released("runs/test", "connect", 0)


class DeadKey(SortieTest):
    def run_with_revoked_key(self, from_request):
        fault = f"    faults: [{{kind: key_revoked, keys: [key-2], from_request: {from_request}}}]\n"
        urls, audit = self.simulate(self.provider(latency=30, rest=fault))
        self.campaign(urls[0], keys=3, instances=4)
        self.sortie("run", "campaign.yaml", "--quiet", check=0)
        entries = [entry for entry in self.audit_entries(audit) if entry["key"] == "key-2"]
        # Attempts that became durable, before they are sent, after the first refusal was there.
        late = self.query("SELECT count(*) FROM attempt WHERE route LIKE '%key-2%' AND at > (SELECT min(e.at) FROM attempt_end AS e "
                          "JOIN attempt AS a ON a.id = e.attempt WHERE e.cause = 'auth' AND a.route LIKE '%key-2%')")[0][0]
        self.assertLessEqual(late, 2)
        moved = self.query("SELECT count(*) FROM attempt AS a JOIN attempt_end AS e ON e.attempt = a.id WHERE e.cause = 'auth' AND "
                           "NOT EXISTS (SELECT 1 FROM turn AS t WHERE t.trial = a.trial AND t.turn = a.turn AND "
                           "t.route NOT LIKE '%key-2%')")[0][0]
        self.assertEqual(moved, 0)
        return [entry for entry in entries if entry["decision"] == "unauthorized"]

    def test_dead_from_the_start(self):
        self.assertLessEqual(len(self.run_with_revoked_key(1)), 2)

    def test_revoked_while_it_is_used(self):
        refused = self.run_with_revoked_key(15)
        self.assertGreater(len(refused), 0)
        # Beside two at most, those that were on their way when the first refusal came back: `late` counts them by the ledger.


if __name__ == "__main__":
    main()
