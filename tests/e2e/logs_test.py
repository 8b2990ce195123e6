"""Logs, captures and the identity audit of a real run."""
import json
import unittest

from sortie_test import SortieTest


class LogsTest(SortieTest):
    def lines(self):
        return [json.loads(line) for line in (self.folder / "runs/test/log/run.jsonl").read_text().splitlines()]

    def no_secret_below(self, folder):
        for path in (self.folder / folder).rglob("*"):
            if path.is_file():
                self.assertNotIn(b"canary-key", path.read_bytes(), path)

    def run_with_a_bad_key(self, *arguments):
        """The second key is not the server's: its requests fail with what the server says about it."""
        self.environment["KEY_2"] = "canary-key-wrong"
        urls, _ = self.simulate(self.provider())
        self.campaign(urls[0], keys=2)
        self.sortie("run", "campaign.yaml", "--quiet", *arguments, check=0)

    def test_lines_carry_run_trial_and_request(self):
        self.run_with_a_bad_key("--log-level", "debug")
        lines = self.lines()
        self.assertEqual({line["run"] for line in lines}, {self.query("SELECT lower(hex(key)) FROM run")[0][0]})
        self.assertEqual({line["start"] for line in lines}, {1})
        attempts = {row[0] for row in self.query("SELECT id FROM attempt")}
        sent = [line["request"] for line in lines if line["event"] == "request_sent"]
        self.assertEqual(sorted(sent), sorted(attempts))
        self.assertEqual(len(set(sent)), len(sent))
        self.assertEqual({line["request"] for line in lines if line["event"] == "request_ended"}, attempts)
        failed = [line for line in lines if line["event"] == "attempt_failed"]
        self.assertTrue(failed)
        keys = {row[0] for row in self.query("SELECT lower(hex(key)) FROM trial")}
        self.assertLessEqual({line["trial"] for line in failed}, keys)
        self.no_secret_below("runs/test")
        self.assertFalse((self.folder / "runs/test/capture").exists())

    def test_failures_are_captured_whole_and_without_secrets(self):
        self.run_with_a_bad_key("--capture", "failures")
        failed = self.query("SELECT e.attempt, lower(hex(t.key)), a.turn, e.status FROM attempt_end e JOIN attempt a ON "
                            "a.id = e.attempt JOIN trial t ON t.id = a.trial WHERE e.cause <> 'answered'")
        self.assertTrue(failed)
        captured = {path.name: json.loads(path.read_text()) for path in (self.folder / "runs/test/capture").iterdir()}
        self.assertEqual(set(captured), {f"{attempt}.json" for attempt, *_ in failed})
        for attempt, key, turn, status in failed:
            capture = captured[f"{attempt}.json"]
            self.assertEqual((capture["request_id"], capture["trial"], capture["turn"], capture["answer"]["status"]),
                             (attempt, key, turn, status))
            self.assertEqual(capture["request"]["body"]["messages"][0]["role"], "system")
            headers = {header["name"].lower(): header["value"] for header in capture["request"]["headers"]}
            self.assertEqual(headers["authorization"], "[removed]")
        self.assertFalse({line["event"] for line in self.lines()} & {"request_sent", "request_ended"})
        self.no_secret_below("runs/test")
        self.assertEqual((self.folder / "runs/test/capture").stat().st_mode & 0o777, 0o700)

    def test_an_answer_whose_json_is_broken_is_a_failure_too(self):
        urls, _ = self.simulate(self.provider(rest="    faults:\n      - {kind: invalid_json, probability: 0.2}\n"))
        self.campaign(urls[0])
        self.sortie("run", "campaign.yaml", "--quiet", "--capture", "failures", check=0)
        broken = {f"{row[0]}.json" for row in self.query("SELECT attempt FROM attempt_end WHERE cause = 'broken'")}
        self.assertTrue(broken)
        self.assertLessEqual(broken, {path.name for path in (self.folder / "runs/test/capture").iterdir()})

    def test_an_answer_of_another_model_is_a_failure_too(self):
        fault = "    faults:\n      - {kind: wrong_model, from_request: 10, served_as: tiny-7b}\n"
        for options in ("", "    stream: true\n"):
            with self.subTest(options=options):
                urls, _ = self.simulate(self.provider(rest=fault))
                self.campaign(urls[0])
                endpoints = (self.folder / "endpoints.yaml").read_text()
                self.write("endpoints.yaml", endpoints.replace("simulated: true\n", "simulated: true\n" + options))
                run = "runs/stream" if options else "runs/plain"
                self.sortie("run", "campaign.yaml", "--quiet", "--capture", "failures", "--dir", run, check=1)
                wrong = {f"{row[0]}.json" for row in self.query("SELECT attempt FROM attempt_end WHERE cause = 'wrong_model'", run)}
                self.assertTrue(wrong)
                failed = {f"{row[0]}.json" for row in self.query("SELECT attempt FROM attempt_end WHERE cause <> 'answered'", run)}
                self.assertEqual({path.name for path in (self.folder / run / "capture").iterdir()}, failed)
                for name in wrong:
                    capture = json.loads((self.folder / run / "capture" / name).read_text())
                    self.assertIn("tiny-7b", json.dumps(capture["answer"]["body"]))

    def test_all_exchanges_can_be_captured(self):
        self.run_with_a_bad_key("--capture", "all")
        count = self.query("SELECT count(*) FROM attempt")[0][0]
        self.assertEqual(len(list((self.folder / "runs/test/capture").iterdir())), count)

    def test_verify_says_who_answered(self):
        urls, _ = self.simulate(self.provider())
        self.campaign(urls[0], keys=2)
        self.sortie("run", "campaign.yaml", "--quiet", check=0)
        verdict = json.loads(self.sortie("verify", "test", "--json", check=0).stdout)
        self.assertIn({"check": "served_models_are_declared", "ok": True, "detail": ""}, verdict["checks"])
        routes = {route["route"]: route for route in verdict["identity"]["routes"]}
        self.assertEqual(set(routes), {row[0] for row in self.query("SELECT DISTINCT route FROM turn")})
        for route in routes.values():
            self.assertEqual((route["requested"], route["sent"], set(route["served"])),
                             ("sim-large", "sim-large", {"sim-large"}))
        self.assertIn("Who answered", self.sortie("verify", "test", check=0).stdout)


if __name__ == "__main__":
    unittest.main()
