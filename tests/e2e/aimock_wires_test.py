#!/usr/bin/env python3
"""The same campaign against an independent server, @copilotkit/aimock, over each of its wires: plain, streamed, with commands
in the text and with native tools, and with its chaos modes on. The scored table is always the same."""
import concurrent.futures
import json
import os
import shutil
import subprocess
import unittest

from sortie_test import FULL, SOURCE, SortieTest

NODE = os.environ["NODE"]
WIRES = {"openai": "/v1", "azure": "", "anthropic": "", "gemini": ""}
PATHS = ["/v1/chat/completions", "/openai/deployments/mock-model/chat/completions", "/v1/messages",
         "/v1beta/models/mock-model:generateContent", "/v1beta/models/mock-model:streamGenerateContent"]

ENDPOINTS = """version: 1
models:
  mock-model: {{parameters: {{seed: false}}, price: {{input: 1, output: 2}}}}
endpoints:
  mock:
    dialect: {dialect}
    base_url: {url}
    stream: {stream}
    keys: {{key-1: "env:KEY_1"}}
    routes: [{{model: mock-model, served_as: ["*"]}}]
"""

CAMPAIGN = """version: 1
name: test
suite: pilot/1
seed: 7
endpoints: {endpoints}
models: [mock-model]
scenarios: [baseline]
instances: {instances}
protocol: {protocol}
max_turns: 8
"""


class AimockWires(SortieTest):
    def start_aimock(self, *modes):
        process = subprocess.Popen([NODE, str(SOURCE / "tests/e2e/aimock_wires.mjs"), *modes], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.addCleanup(self.end, process)
        self.addCleanup(process.stdin.close)
        ready = process.stdout.readline()
        self.assertTrue(ready, "the server did not start")
        return process, json.loads(ready)["url"]

    def run_over(self, url, dialect, protocol, stream):
        """The scored table and how many attempts failed."""
        name = f"{dialect}-{protocol}-{stream}"
        self.write(f"{name}.endpoints.yaml", ENDPOINTS.format(dialect=dialect, url=url + WIRES[dialect], stream=stream))
        self.write(f"{name}.yaml", CAMPAIGN.format(endpoints=f"{name}.endpoints.yaml", instances=10 if FULL else 1,
                                                   protocol=protocol))
        run = f"runs/{name}"
        done = json.loads(self.sortie("run", f"{name}.yaml", "--quiet", "--json", "--share-key", "--dir", run,
                                       check=0).stdout)
        self.assertEqual(done["end"], "complete", name)
        table = self.query(
            "SELECT t.task, s.success, s.progress, o.end_reason, (SELECT count(*) FROM turn WHERE trial = t.id) "
            "FROM trial AS t JOIN score AS s ON s.trial = t.id JOIN outcome AS o ON o.trial = t.id ORDER BY t.task", run)
        failed = self.query("SELECT count(*) FROM attempt_end WHERE cause <> 'answered'", run)[0][0]
        return table, failed

    def tables_over_all_wires(self, protocol, *modes):
        """(dialect, stream) → table and failures; the journal shows every wire."""
        process, url = self.start_aimock(protocol, *modes)
        wires = [(dialect, stream) for dialect in WIRES for stream in ("false", "true")]
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            results = list(pool.map(lambda wire: self.run_over(url, wire[0], protocol, wire[1]), wires))
        process.stdin.write("journal\n")
        process.stdin.flush()
        paths = {entry["path"] for entry in json.loads(process.stdout.readline())}
        for expected in PATHS:
            self.assertTrue(any(path.startswith(expected) for path in paths), (expected, paths))
        return dict(zip(wires, results))

    def check(self, results, expected):
        for wire, (table, _) in results.items():
            with self.subTest(wire=wire):
                self.assertEqual(table, expected)

    def test_every_wire_ends_with_the_same_table(self):
        for protocol in ("text", "native"):
            results = self.tables_over_all_wires(protocol)
            expected = results["openai", "false"][0]
            self.assertGreater(max(row[2] for row in expected), 0, "no progress anywhere")
            self.check(results, expected)
            self.assertEqual([failed for _, failed in results.values()], [0] * len(results))

    def test_with_chaos_the_table_is_the_same(self):
        _, url = self.start_aimock("native")
        expected, _ = self.run_over(url, "openai", "native", "false")
        shutil.rmtree(self.folder / "runs")
        results = self.tables_over_all_wires("native", "chaos")
        self.check(results, expected)
        self.assertGreater(sum(failed for _, failed in results.values()), 0)


if __name__ == "__main__":
    unittest.main()
