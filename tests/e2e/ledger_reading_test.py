#!/usr/bin/env python3
"""docs/design/ledger.md lets another program read a ledger: its example runs and finds what Sortie says, its tables and
columns are those of the file, and so are the files that it names beside the ledger."""
import json
import re
import subprocess
import sys
import unittest

from sortie_test import SOURCE, SortieTest

PAGE = (SOURCE / "docs/design/ledger.md").read_text()


class LedgerReading(SortieTest):
    def setUp(self):
        super().setUp()
        urls, _ = self.simulate(self.provider(rest="    faults:\n      - {kind: http_500, probability: 0.1}\n"))
        self.campaign(urls[0], instances=2)
        self.sortie("run", "campaign.yaml", "--quiet", "--capture", "failures", "--log-level", "debug", check=0)

    def example(self, run):
        code = re.search(r"```python\n(.*?)```", PAGE, re.S).group(1)
        return subprocess.run([sys.executable, self.write("example.py", code), self.folder / run], capture_output=True, text=True)

    def test_the_example_reads_every_trial_as_sortie_does(self):
        done = self.example("runs/test")
        self.assertEqual(done.returncode, 0, done.stderr)
        lines = [line.split("\t") for line in done.stdout.splitlines()]
        self.assertEqual(len(lines), 10)
        for trial, model, task, success, turns, _ in lines:
            shown = json.loads(self.sortie("show", "test", trial, "--json", check=0).stdout)
            self.assertEqual((model, task, success == "1", int(turns)),
                             (shown["model"], shown["task"], shown["success"], len(shown["turns"])))

    def test_the_example_notices_a_changed_byte(self):
        path = self.folder / "runs/test/ledger.db"
        data = bytearray(path.read_bytes())
        data[len(data) // 2 + 100] ^= 1
        path.write_bytes(data)
        done = self.example("runs/test")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("AssertionError", done.stderr)

    def test_every_table_view_and_column_is_documented(self):
        rows = self.query("SELECT type, name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%'")
        tables = set(re.findall(r"^\| `(\w+)` \|", PAGE.split("## Tables")[1].split("\n## ")[0], re.M))
        views = set(re.findall(r"^\| `(\w+)` \|", PAGE.split("## Views")[1].split("\n## ")[0], re.M))
        self.assertEqual(tables, {name for kind, name in rows if kind == "table"})
        self.assertEqual(views, {name for kind, name in rows if kind == "view"})
        version = self.query("PRAGMA user_version")[0][0]
        self.assertIn(f"`PRAGMA user_version` = {version} ", PAGE)
        versions = re.findall(r"^\| (\d+) \|", PAGE.split("## Versions")[1].split("\n## ")[0], re.M)
        self.assertEqual(versions, [str(n + 1) for n in range(version)])

    def test_every_rate_is_what_the_counts_give(self):
        """By another program, from rows that Sortie only stored: scored trials alone, each once."""
        report = json.loads(self.table())
        rows = {cell: (n, wins, progress) for cell, n, wins, progress in self.query(
            "SELECT lower(hex(t.cell)), count(*), sum(s.success), avg(s.progress) FROM trial t JOIN score s ON s.trial = t.id "
            "WHERE t.id IN (SELECT trial FROM outcome WHERE outcome = 'scored') GROUP BY 1")}
        self.assertEqual({cell["id"] for cell in report["cells"]}, set(rows))
        for cell in report["cells"]:
            n, wins, progress = rows[cell["id"]]
            self.assertEqual((cell["n"], cell["successes"]), (n, wins))
            self.assertAlmostEqual(cell["success_rate"], wins / n, places=12)
            self.assertAlmostEqual(cell["progress"], progress, places=9)
            self.assertEqual(cell["planned"], cell["n"] + cell["lost"] + cell["open"])
        for group in report["groups"]:
            of_group = [cell for cell in report["cells"] if group["scenario"] in cell["scenarios"] and group["model"] == cell["model"]
                        and group["protocol"] == cell["protocol"]]
            self.assertEqual((group["n"], group["successes"]), (sum(cell["n"] for cell in of_group),
                                                                sum(cell["successes"] for cell in of_group)))
            self.assertAlmostEqual(group["success_rate"], group["successes"] / group["n"], places=12)

    def test_the_files_beside_it_are_as_documented(self):
        section = PAGE.split("## Beside the ledger, in RUN")[1].split("\n## ")[0]
        run = self.folder / "runs/test"
        names = {path.name for path in run.iterdir()}
        for name in names - {"ledger.db", "ledger.db-wal", "ledger.db-shm"}:
            self.assertTrue(f"`{name}" in section, name)
        key = self.query("SELECT lower(hex(key)) FROM run")[0][0]
        lines = [json.loads(line) for line in (run / "log/run.jsonl").read_text().splitlines()]
        for line in lines:
            self.assertLessEqual({"time", "level", "event", "run", "start"}, set(line))
            self.assertEqual(line["run"], key)
        sent = {line["request"] for line in lines if line["event"] == "request_sent"}
        self.assertEqual(sent, {row[0] for row in self.query("SELECT id FROM attempt")})
        captures = [json.loads(path.read_text()) for path in (run / "capture").iterdir()]
        failed = {row[0] for row in self.query("SELECT attempt FROM attempt_end WHERE status NOT BETWEEN 200 AND 299")}
        self.assertEqual({capture["request_id"] for capture in captures}, failed)
        self.assertGreater(len(failed), 0)
        for capture in captures:
            named = {"request_id", "trial", "turn", "ms", "request"} | ({"answer"} if "answer" in capture else {"failure"})
            self.assertEqual(set(capture), named)
            for field in named:
                self.assertIn(f"`{field}`", section)
            self.assertEqual(self.query(f"SELECT lower(hex(t.key)), a.turn FROM attempt a JOIN trial t ON t.id = a.trial WHERE a.id = "
                                        f"{capture['request_id']}"), [(capture["trial"], capture["turn"])])


if __name__ == "__main__":
    unittest.main()
