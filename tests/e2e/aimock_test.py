#!/usr/bin/env python3
"""A campaign against an independent OpenAI-compatible server, @copilotkit/aimock: its journal and our attempts agree."""
import json
import os
import subprocess
import unittest

from sortie_test import SOURCE, SortieTest

NODE = os.environ["NODE"]


class Aimock(SortieTest):
    def start_aimock(self):
        process = subprocess.Popen([NODE, str(SOURCE / "tests/e2e/aimock_server.mjs")], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, text=True)
        self.addCleanup(self.end, process)
        self.addCleanup(process.stdin.close)
        ready = process.stdout.readline()
        self.assertTrue(ready, "the server did not start")
        return process, json.loads(ready)["url"]

    def test_its_journal_and_our_attempts_agree_line_by_line(self):
        process, url = self.start_aimock()
        self.write("endpoints.yaml", f"""version: 1
models:
  gpt-4o-mini: {{price: {{input: 0.15, output: 0.6}}}}
endpoints:
  mock:
    dialect: openai
    base_url: {url}/v1
    keys: {{key-1: "env:KEY_1"}}
    routes: [{{model: gpt-4o-mini, api_name: gpt-4o-mini}}]
""")
        self.write("campaign.yaml", """version: 1
name: test
suite: pilot/1
seed: 7
endpoints: endpoints.yaml
models: [gpt-4o-mini]
scenarios: [baseline]
instances: 3
max_turns: 6
""")
        done = json.loads(self.sortie("run", "campaign.yaml", "--quiet", "--json", check=0).stdout)
        self.assertEqual((done["end"], done["scored"]), ("complete", 15))
        process.stdin.write("journal\n")
        process.stdin.flush()
        journal = json.loads(process.stdout.readline())
        attempts = self.query("SELECT api_name, at FROM attempt ORDER BY id")
        self.assertEqual(len(journal), len(attempts))
        self.assertGreaterEqual(len(journal), 15 * 2)
        for entry in journal:
            self.assertEqual(entry["model"], "gpt-4o-mini")
            self.assertEqual(entry["status"], 200)
            # Only endpoints that are declared as simulated are told which attempt a request is.
            self.assertNotIn("x-sortie-attempt", entry["headers"])
        # Each trial sends a seed of its own, and each turn two messages more: so a journal line names its trial and turn.
        seen = {}
        for entry in journal:
            seen.setdefault(entry["seed"], []).append((entry["messages"] - 2) // 2)
        sent = {}
        for trial, turn in self.query("SELECT trial, turn FROM attempt ORDER BY id"):
            sent.setdefault(trial, []).append(turn)
        self.assertEqual(len(seen), 15)
        self.assertEqual(sorted(seen.values()), sorted(sent.values()))
        usage = self.query("SELECT sum(input_tokens), sum(output_tokens) FROM attempt_end")[0]
        print(f"{len(journal)} requests, {usage[0]} tokens in, {usage[1]} out")
        self.sortie("verify", "runs/test", check=0)

    def test_a_command_in_the_reasoning_field_runs_where_the_model_allows_it(self):
        _, url = self.start_aimock()
        for name, allowed in (("allowed", "true"), ("forbidden", "false")):
            self.write("endpoints.yaml", f"""version: 1
models:
  thinker: {{commands_from_reasoning: {allowed}, price: {{input: 1, output: 2}}}}
endpoints:
  mock:
    dialect: openai
    base_url: {url}/v1
    keys: {{key-1: "env:KEY_1"}}
    routes: [{{model: thinker, api_name: thinker}}]
""")
            self.write("campaign.yaml", """version: 1
name: test
suite: pilot/1
seed: 7
endpoints: endpoints.yaml
models: [thinker]
scenarios: [baseline]
instances: 1
max_turns: 8
""")
            run = f"runs/{name}"
            self.sortie("run", "campaign.yaml", "--quiet", "--dir", run, check=0)
            ends = dict(self.query('SELECT end_reason, count(*) FROM outcome GROUP BY 1', run))
            turns = self.query("SELECT max(turn) FROM turn", run)[0][0]
            if allowed == "true":
                self.assertEqual((ends, turns), ({"finish": 5}, 2))
            else:
                self.assertNotIn("finish", ends)
            # Played back from the ledger, the answers are read the same way.
            self.sortie("verify", run, check=0)


if __name__ == "__main__":
    unittest.main()
