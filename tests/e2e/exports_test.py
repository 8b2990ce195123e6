"""Exports and questions: every format read by another implementation, compared field by field with the ledger."""
import csv
import json
import os
import sqlite3
import subprocess
import unittest

from sortie_test import SOURCE, SortieTest

FORMATS = ("parquet", "json", "jsonl", "csv")
TEXTS = ["", "a\0b", "\r\n\"',", "中文、日本語と한국어", "👩‍🔬🏳️‍🌈", "null", "x" * 1_000_000 + "é"]


class ExportsTest(SortieTest):
    def run_campaign(self, name="test", seed=7, instances=2):
        urls, _ = self.simulate(self.provider())
        path = self.campaign(urls[0], instances=instances)
        path.write_text(path.read_text().replace("name: test", f"name: {name}").replace("seed: 7", f"seed: {seed}"))
        self.sortie("run", "campaign.yaml", "--quiet", check=0)

    def add_texts(self):
        """Texts that formats trip over. Their checksums are not right, which is for `verify` to find."""
        connection = sqlite3.connect(self.folder / "runs/test/ledger.db")
        for i, text in enumerate(TEXTS):
            connection.execute("INSERT INTO event (at, kind, subject, detail, checksum) VALUES (?, 'note', ?, ?, ?)",
                               (i, text, text, -1 - i))
        connection.commit()
        connection.close()
        self.drop_page_checksums()

    def export(self, format, *arguments):
        return json.loads(self.sortie("export", "test", "--format", format, "--json", *arguments, check=0).stdout)

    def rows_of(self, manifest, table):
        """Rows as lists of str, int, float, bool or None, read without Sortie and without DuckDB."""
        folder = self.folder / manifest["directory"]
        files = [folder / file for file in table["files"]]
        names = [column["name"] for column in table["columns"]]
        if manifest["format"] == "json":
            return [list(self.in_order(row, names)) for file in files for row in json.loads(file.read_text())]
        if manifest["format"] == "jsonl":
            return [list(self.in_order(json.loads(line), names)) for file in files
                    for line in file.read_text().split("\n") if line]
        if manifest["format"] == "csv":
            return [row for file in files for row in self.csv_rows(file, table["columns"])]
        node = subprocess.run([os.environ["NODE"], SOURCE / "tests/e2e/read_parquet.mjs", *files], capture_output=True,
                              text=True, check=True)
        return [[int(value["int"]) if isinstance(value, dict) else value for value in json.loads(line)]
                for line in node.stdout.split("\n") if line]

    def in_order(self, row, names):
        self.assertEqual(list(row), names)
        return row.values()

    def csv_rows(self, file, columns):
        """NULL is nothing, an empty text is "": Python's reader cannot tell them, so both are None here."""
        csv.field_size_limit(1 << 30)
        with open(file, newline="", encoding="utf-8") as lines:
            reader = csv.reader(lines)
            self.assertEqual(next(reader), [column["name"] for column in columns])
            convert = {"BIGINT": int, "DOUBLE": float, "BOOLEAN": lambda text: {"true": True, "false": False}[text],
                       "VARCHAR": str}
            for row in reader:
                yield [convert[column["type"]](text) if text else None
                       for text, column in zip(row, columns, strict=True)]

    def test_every_format_holds_the_ledger_field_by_field(self):
        self.run_campaign(instances=3)
        self.add_texts()
        manifests = {format: self.export(format) for format in FORMATS}
        marks = {manifest["high_water_mark"] for manifest in manifests.values()}
        self.assertEqual(len(marks), 1)
        compared = 0
        self.assertEqual(self.query("SELECT count(*) FROM trial"), [(15,)])
        for i, table in enumerate(manifests["json"]["tables"]):
            rows = {format: self.rows_of(manifest, manifest["tables"][i]) for format, manifest in manifests.items()}
            self.assertEqual(len(rows["json"]), table["rows"])
            for format in ("jsonl", "parquet"):
                self.assertEqual(rows[format], rows["json"], (table["name"], format))
            self.assertEqual(rows["csv"], [[None if value == "" else value for value in row] for row in rows["json"]],
                             table["name"])
            self.assertEqual({manifest["tables"][i]["content"] for manifest in manifests.values()}, {table["content"]})
            compared += len(rows["json"])
        self.assertGreater(compared, 300)
        names = {table["name"] for table in manifests["json"]["tables"]}
        self.assertLessEqual({"runs", "cells", "trials", "turns", "attempts", "messages", "calls", "scores", "events",
                              "trial_result"}, names)
        events = next(table for table in manifests["json"]["tables"] if table["name"] == "events")
        details = [row[3] for row in self.rows_of(manifests["json"], events)]
        for text in TEXTS:
            self.assertIn(text, details)

        # The ledger as another program reads it.
        for table, query in (("attempts", "SELECT count(*) FROM attempt"), ("scores", "SELECT count(*) FROM score"),
                             ("messages", "SELECT count(*) FROM message"), ("turns", "SELECT count(*) FROM turn")):
            exported = next(entry for entry in manifests["json"]["tables"] if entry["name"] == table)
            self.assertEqual([(exported["rows"],)], self.query(query))

    def test_check_proves_equality_and_names_the_first_difference(self):
        self.run_campaign()
        for format in FORMATS:
            self.export(format)
            done = self.sortie("export", "--check", f"runs/test/export/{format}", "test", check=0)
            self.assertTrue(done.stdout.startswith("equal: "), done.stdout)
        self.sortie("export", "--check", "runs/test/export/parquet", "runs/test/export/csv", check=0)
        path = self.folder / "runs/test/export/csv/trials.csv"
        path.write_text(path.read_text().replace(",finish,", ",loop,", 1))
        done = self.sortie("export", "--check", "test", "runs/test/export/csv", check=3)
        self.assertRegex(done.stdout, r"^different: table trials, row \d+, column end_reason: 'finish' .* 'loop'")
        done = json.loads(self.sortie("export", "--check", "runs/test/export/csv", "runs/test/export/json", "--json",
                                      check=3).stdout)
        self.assertFalse(done["equal"])
        self.assertIn("end_reason", done["difference"])
        self.assertIn("neither", self.sortie("export", "--check", "test", "test", check=2).stderr)

    def test_an_export_replaces_an_older_one_and_no_other_file(self):
        self.run_campaign()
        self.export("csv", "--tables", "trials,scores", "-o", "out")
        self.assertEqual(sorted(path.name for path in (self.folder / "out").iterdir()),
                         ["manifest.json", "scores.csv", "trials.csv"])
        self.export("jsonl", "--tables", "cells", "-o", "out")
        self.assertEqual(sorted(path.name for path in (self.folder / "out").iterdir()), ["cells.jsonl", "manifest.json"])
        self.write("out/mine.txt", "mine")
        done = self.sortie("export", "test", "-o", "out", check=3)
        self.assertIn("mine.txt", done.stderr)
        self.assertIn("did you mean 'trials'?", self.sortie("export", "test", "--tables", "trails", check=2).stderr)
        self.assertEqual([path.name for path in self.folder.glob(".out*")], [])

    def ask(self, *arguments, check=0):
        return self.sortie("sql", *arguments, check=check)

    def test_sql_asks_one_run_and_many(self):
        self.run_campaign("one", seed=7)
        self.run_campaign("two", seed=8)
        self.assertEqual(self.ask("one", "two", "--format", "csv", "select run, count(*) from trial group by run").stdout,
                         "run,count(*)\none,10\ntwo,10\n")
        rows = json.loads(self.ask("one", "--json", "select trial, success, message_text(answer) as text from turn join "
                                   "score using (trial) where trial = 1 order by turn").stdout)
        self.assertIn("text", json.loads(rows[0]["text"]))
        self.assertEqual(rows[0]["trial"], 1)
        text = self.ask("runs/one", "select task_type, count(*) as n from trial_result group by 1 order by 1").stdout
        self.assertEqual(text.splitlines()[:3], ["task_type             n", "--------------------  -", "api_integration       2"])
        piped = subprocess.run([os.environ["SORTIE"], "sql", "one", "two", "-"], cwd=self.folder, env=self.environment,
                               input="select count(*) as n\nfrom trial_state", capture_output=True, text=True)
        self.assertEqual(piped.stdout, " n\n--\n20\n")

    def test_sql_says_where_a_question_is_wrong_and_writes_nothing(self):
        self.run_campaign()
        done = self.ask("test", "select taks from trial", check=2)
        self.assertIn("line 1, column 8: no such column: taks; did you mean 'task'?\n  select taks from trial\n         ^",
                      done.stderr)
        self.assertIn("may not be modified", self.ask("test", "delete from trial", check=2).stderr)
        self.ask("test", "select 1; select 2", check=2)
        self.ask("test", check=2)
        self.assertIn("no run 'tset'", self.ask("tset", "select 1", check=2).stderr)

    def test_sql_streams(self):
        self.run_campaign()
        # A billion rows: they come before the end, and a reader who goes away ends the command.
        question = ("with recursive n(i) as (select 1 union all select i + 1 from n where i < 1000000000) "
                    "select i, (select value from manifest where name = 'campaign') as value from n")
        process = subprocess.Popen([os.environ["SORTIE"], "sql", "test", "--format", "jsonl", question], cwd=self.folder,
                                   env=self.environment, stdout=subprocess.PIPE, text=True)
        self.addCleanup(self.end, process)
        self.assertEqual(json.loads(process.stdout.readline()), {"i": 1, "value": "test"})
        process.stdout.close()
        self.assertEqual(process.wait(timeout=60), 0)
        process.stdout = None


if __name__ == "__main__":
    unittest.main()
