#!/usr/bin/env python3
"""Every number of a report is what the query says that the report names: recomputed from the Parquet export, which
parquet-wasm reads and Python's own SQLite queries. Intervals and p-values by formulas written here. The formats agree,
LaTeX compiles, and nothing that a model or a server says steers what shows it."""
import collections
import csv
import html
import http.server
import json
import math
import os
import re
import shutil
import sqlite3
import subprocess
import threading
import unittest
import xml.etree.ElementTree

from sortie_test import SOURCE, SortieTest

EXAMPLE = SOURCE / "examples/pilot"
MODELS = "qwen2.5-7b-instruct,qwen2.5-3b-instruct,DeepSeek-V3-0324"
LABELS = {"model", "protocol", "scenarios", "prompt", "flaw", "severity", "difficulty", "tool_success_rate", "max_turns",
          "task_type", "family", "first", "second", "route", "key", "cell", "name"}
NO_MANIFEST = {"first attempt", "last answer", "scorer", "ledger high-water mark", "levels not reviewed by people"}
MONEY = {"cost_usd", "reserved_usd"}  # shown with four digits
Z = 1.959963984540054

# The ledger's names for what the export calls otherwise.
VIEWS = """
CREATE VIEW cell AS SELECT cell AS id, * FROM cells;
CREATE VIEW trial AS SELECT trial AS id, * FROM trials;
CREATE VIEW turn AS SELECT * FROM turns;
CREATE VIEW event AS SELECT rowid AS id, recorded_at AS at, kind, subject, detail FROM events;
CREATE VIEW manifest AS SELECT * FROM run_manifest;
CREATE VIEW reuse AS SELECT * FROM reused;
CREATE VIEW attempt_full AS SELECT attempt, trial, turn, number, route, requested_model, api_name, started_at AS at, ended_at,
  cause, served_model, reserved_input, reserved_output, reserved_cost, input_tokens, output_tokens,
  coalesce(billing_known, 0) AS billing_known, coalesce(cost, reserved_cost) AS cost, duration_us, status FROM attempts;
"""


def number(text):
    """A number, text, or None for nothing."""
    if text is None or text == "":
        return None
    try:
        return float(text)
    except ValueError:
        return text


def equal(shown, computed, column):
    if isinstance(shown, float) and isinstance(computed, float):
        if column in MONEY:
            return abs(shown - computed) <= 5.0001e-5
        return math.isclose(shown, computed, rel_tol=1e-12, abs_tol=1e-12)
    return shown == computed


def wilson(successes, n):
    """95 % score interval of a proportion (Wilson 1927)."""
    middle = (successes + Z * Z / 2) / (n + Z * Z)
    half = Z / (n + Z * Z) * math.sqrt(successes * (n - successes) / n + Z * Z / 4)
    return max(0.0, middle - half), min(1.0, middle + half)


def mcnemar(first, second):
    """Twice the smaller tail of a fair coin thrown once per pair that differs."""
    n = first + second
    return min(1.0, 2 * sum(math.comb(n, i) for i in range(min(first, second) + 1)) / 2 ** n)


def holm(p_values):
    adjusted, worst = [0.0] * len(p_values), 0.0
    for rank, i in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        worst = max(worst, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = worst
    return adjusted


class ReportNumbers(SortieTest):
    def run_pilot(self):
        profile = (EXAMPLE / "providers.yaml").read_text()
        urls, _ = self.simulate(re.sub(r"(listen: 127\.0\.0\.1):\d+", r"\1:0", profile), audit=False)
        self.write("endpoints.yaml", re.sub(r"http://127\.0\.0\.1:\d+/v1", urls[0], (EXAMPLE / "endpoints.yaml").read_text()))
        self.write("pilot-all.yaml", (EXAMPLE / "pilot-all.yaml").read_text())
        self.sortie("run", "pilot-all.yaml", "--quiet", "--limit", "1", "--model", MODELS, check=0)

    def parquet(self, run):
        """The Parquet export in a database of its own."""
        self.sortie("export", run, "--format", "parquet", "-o", "parquet", check=0)
        database = sqlite3.connect(":memory:")
        database.row_factory = sqlite3.Row
        database.create_function("message_text", 1, lambda text: text, deterministic=True)
        for table in json.loads((self.folder / "parquet/manifest.json").read_text())["tables"]:
            columns = [column["name"] for column in table["columns"]]
            quoted = ", ".join(f'"{name}"' for name in columns)
            database.execute(f'CREATE TABLE {table["name"]} ({quoted})')
            files = [str(self.folder / "parquet" / file) for file in table["files"]]
            lines = subprocess.run([os.environ["NODE"], str(SOURCE / "tests/e2e/read_parquet.mjs"), *files], check=True,
                                   capture_output=True, text=True).stdout.splitlines()
            rows = [[int(value["int"]) if isinstance(value, dict) else value for value in json.loads(line)] for line in lines]
            database.executemany(f'INSERT INTO {table["name"]} VALUES ({", ".join("?" * len(columns))})', rows)
        database.executescript(VIEWS)
        return database

    def tables(self, folder):
        """id → (entry of the index, rows by column)."""
        index = json.loads((self.folder / folder / "index.json").read_text())
        found = {}
        for entry in index["tables"]:
            with open(self.folder / folder / entry["file"], newline="", encoding="utf-8") as file:
                found[entry["id"]] = (entry, list(csv.DictReader(file)))
        return found

    def compare(self, table, shown, computed):
        """How many numbers of the table are in the query's rows; all must be."""
        columns = [name for name in shown[0] if computed and name in computed[0].keys()]
        labels = [name for name in columns if name in LABELS]
        numbers = [name for name in columns if name not in LABELS]
        if not numbers:
            return 0  # what the query gives is not shown as it stands: trials of a fit, times in microseconds
        by_labels = collections.defaultdict(list)
        for row in computed:
            by_labels[tuple(number(row[name]) for name in labels)].append(row)
        count = 0
        for row in shown:
            if "scripted" in row["marks"] or table == "provenance" and row["name"] in NO_MANIFEST:
                continue
            # Nothing is shown where the query's number is none, or where nothing is missing.
            values = {name: number(row[name]) for name in numbers if row[name] != ""}
            if not values:
                continue  # a row of statistics alone
            candidates = by_labels[tuple(number(row[name]) for name in labels)]
            self.assertTrue(any(all(equal(value, number(candidate[name]), name) for name, value in values.items())
                                for candidate in candidates), f"{table}: {row} is none of {[dict(c) for c in candidates]}")
            count += sum(isinstance(value, float) for value in values.values())
        return count

    def check_statistics(self, tables):
        """Intervals and p-values from the counts that the tables show."""
        checked = 0
        for row in tables["baseline/task_types"][1]:
            for side in ("with_plan", "without_plan"):
                if row[f"{side}_interval_low"]:
                    n, share = float(row[f"{side}_n"]), float(row[f"{side}_success"])
                    for bound, end in zip(wilson(n * share, n), ("low", "high"), strict=True):
                        self.assertAlmostEqual(bound, float(row[f"{side}_interval_{end}"]), places=12)
                        checked += 1
        for scenario in ("baseline", "flawed", "reliability", "prompts"):
            families = collections.defaultdict(list)
            for row in tables[f"{scenario}/comparisons"][1]:
                if row["test"] == "McNemar, exact":
                    p = mcnemar(int(row["only_first"]), int(row["only_second"]))
                    self.assertAlmostEqual(p, float(row["p"]), places=12, msg=row)
                    families[row["family"], row.get("model")].append(row)
                    checked += 1
            for rows in families.values():
                for row, p in zip(rows, holm([float(row["p"]) for row in rows]), strict=True):
                    self.assertAlmostEqual(p, float(row["p_holm"]), places=12, msg=row)
                    checked += 1
        return checked

    def check_product_runs_the_same_query(self, query, computed):
        answered = json.loads(self.sortie("sql", "pilot-all", query, "--json", check=0).stdout)
        self.assertEqual(len(answered), len(computed), query)
        key = lambda row: [str(value) for value in row]
        mine = sorted(([number(value) for value in row] for row in map(tuple, computed)), key=key)
        theirs = sorted(([number(value) for value in row.values()] for row in answered), key=key)
        for one, two in zip(mine, theirs, strict=True):
            self.assertTrue(all(equal(a, b, "") for a, b in zip(one, two, strict=True)), f"{query}\n{one}\n{two}")

    def test_every_number_is_what_its_query_says_of_the_parquet_export(self):
        self.run_pilot()
        self.sortie("report", "pilot-all", "--format", "csv", "-o", "csv", check=0)
        database = self.parquet("pilot-all")
        tables = self.tables("csv")
        numbers, compared = 0, []
        for name, (entry, shown) in tables.items():
            self.assertTrue(entry["query"], name)
            computed = database.execute(entry["query"]).fetchall()
            count = self.compare(name, shown, computed)
            numbers += count
            compared += [name] if count else []
        for name in ("baseline/models", "scale/cells", "reliability/retry", "cells", "validity/routes", "validity/sent", "costs/key"):
            query = tables[name][0]["query"]
            self.check_product_runs_the_same_query(query, database.execute(query).fetchall())
        statistics = self.check_statistics(tables)
        print(f"{numbers} numbers of {len(compared)} tables, {statistics} intervals' ends and p-values")
        self.assertGreaterEqual(numbers, 100)
        self.assertGreaterEqual(len(compared), 8)
        self.assertGreaterEqual(statistics, 100)
        self.assertLessEqual({name for name in tables if name not in compared},
                             {"scale/slopes", "cells/times", "validity/names", "provenance"})  # fits, times and names
        self.check_figures(tables)
        self.check_formats_agree(tables)
        self.check_latex("pilot-all")
        self.check_compare()

    def check_figures(self, tables):
        """The points that a figure draws are the shares of its table."""
        index = json.loads((self.folder / "csv/index.json").read_text())
        self.assertGreaterEqual(len(index["figures"]), 10)
        for entry in index["figures"]:
            text = (self.folder / "csv" / entry["file"]).read_text()
            xml.etree.ElementTree.fromstring(text)
            self.assertNotRegex(text, r"#(?!1a1a1a|c8c8c8|595959|fff)[0-9a-f]{3,6}")  # no colour
            shown = tables[entry["table"]][1]
            if not entry["id"].endswith("overview-figure"):
                continue
            drawn = [(float(x) - 260) / 480 for x in re.findall(r'class="dot" cx="([0-9.]+)"', text)]
            shares = [float(row["success"]) for row in shown]
            self.assertEqual(len(drawn), len(shares))
            for one, two in zip(drawn, shares, strict=True):
                self.assertAlmostEqual(one, two, delta=0.001)

    def check_formats_agree(self, tables):
        """People read the same numbers in the page, in Markdown and in LaTeX."""
        self.sortie("report", "pilot-all", "--format", "markdown", "-o", "markdown", check=0)
        self.sortie("report", "pilot-all", "-o", "report.html", check=0)
        self.sortie("report", "pilot-all", "--format", "latex", "-o", "latex", check=0)
        markdown = (self.folder / "markdown/report.md").read_text()
        page = html.unescape((self.folder / "report.html").read_text())
        for link in re.findall(r"\]\((figures/[^)]*)\)", markdown):
            self.assertTrue((self.folder / "markdown" / link).exists(), link)
        for name in ("baseline/models", "flawed/cells", "reliability/cells", "prompts/cells"):
            part = markdown.split(f"Table `{name}`\n")[1].split("Table `")[0]
            latex = (self.folder / "latex/tables" / (name.replace("/", "-") + ".tex")).read_text()
            column = "without_plan_success" if name == "baseline/models" else "success"
            shares = [f"{100 * float(row[column]):.1f} %" for row in tables[name][1] if row[column]]
            at = md = tex = 0
            for share in shares:  # in order
                at, md, tex = page.index(share, at) + 1, part.index(share, md) + 1, latex.index(share.replace("%", "\\%"), tex) + 1

    def check_latex(self, run):
        """With pdflatex, where it is installed."""
        folder = f"latex-{run}"
        self.sortie("report", run, "--format", "latex", "-o", folder, check=0)
        if shutil.which("pdflatex") is None:
            print("LaTeX was not compiled: no pdflatex here (apt-get install texlive-latex-recommended)")
            return
        done = subprocess.run(["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "report.tex"], capture_output=True,
                              cwd=self.folder / folder, timeout=240, check=False)
        self.assertEqual(done.returncode, 0, done.stdout.decode(errors="replace")[-3000:])
        self.assertGreater((self.folder / folder / "report.pdf").stat().st_size, 20_000)
        self.sortie("report", run, "--format", "latex", "-o", folder, check=0)  # also over what pdflatex left

    def check_compare(self):
        """Two models of the run on the same tasks, as the report has them."""
        first, second = MODELS.split(",")[:2]
        done = json.loads(self.sortie("compare", "pilot-all", "--model", f"{first},{second}", "--json", check=0).stdout)
        rows = done["rows"]
        self.assertGreater(len(rows), 10)
        self.assertEqual(sum(row["pairs"] for row in rows[:-1]), rows[-1]["pairs"])
        plain = self.sortie("compare", "pilot-all", "--model", f"{first},{second}", check=0).stdout
        self.assertNotIn("\x1b", plain)
        coloured = self.sortie("compare", "pilot-all", "--model", f"{first},{second}", "--color", "always", check=0).stdout
        self.assertIn("\x1b[", coloured)
        self.assertEqual(re.sub(r"\x1b\[[0-9;]*m", "", coloured), plain)
        chinese = self.sortie("compare", "pilot-all", "--model", f"{first},{second}", "--lang", "zh", check=0).stdout
        trials = re.compile(r"sortie show \S+ \d+")
        self.assertEqual(trials.findall(chinese), trials.findall(plain))
        self.assertIn("仅甲成功", chinese)
        for word in ("only first", "not shown", "better", "pairs", "repeat", "succeeded"):
            self.assertIn(word, plain)
            self.assertNotIn(word, chinese)
        self.assertIn("expected one of: en, zh",
                      self.sortie("compare", "pilot-all", "--model", f"{first},{second}", "--lang", "fr", check=2).stderr)
        shown = re.search(r"sortie show (\S+) (\d+) ", plain)
        text = self.sortie("show", shown[1], shown[2], check=0).stdout
        self.assertIn(first, text)
        coloured = self.sortie("show", shown[1], shown[2], "--color", "always", check=0).stdout
        self.assertEqual(re.sub(r"\x1b\[[0-9;]*m", "", coloured), text)
        self.assertNotEqual(coloured, text)
        same = json.loads(self.sortie("compare", "pilot-all", "pilot-all", "--json", check=0).stdout)
        self.assertEqual(same["disagreements"], 0)
        self.assertIn("takes two different values", self.sortie("compare", "pilot-all", "--model", first).stderr)


HOSTILE = "<script>alert(1)</script>\x1b[2J\x1b]0;owned\x07\u202ebidi\u2066 \\input{/etc/passwd} $x_1^2$ & # % | `x` =1+1 中文\n"


class Hostile(http.server.BaseHTTPRequestHandler):
    """Answers everything with what no reader of a report should obey, once with 1 MB of it."""
    long = [True]

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        more = "A" * 1_000_000 if self.long and self.long.pop() else ""
        body = json.dumps({"id": "1", "object": "chat.completion", "model": "evil-<b>&$_", "choices": [
            {"index": 0, "message": {"role": "assistant", "content": HOSTILE + more}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 5, "completion_tokens": 5, "total_tokens": 10}}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


class HostileAnswers(ReportNumbers):
    test_every_number_is_what_its_query_says_of_the_parquet_export = None

    def test_what_a_model_says_steers_nothing_in_any_format_or_terminal(self):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hostile)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.write("endpoints.yaml", f"""version: 1
models:
  "m_1@x+y": {{family: sim, size_b: 72}}
endpoints:
  pool:
    dialect: openai
    base_url: http://127.0.0.1:{server.server_port}/v1
    simulated: true
    keys: {{key-1: "env:KEY_1"}}
    routes:
      - {{model: "m_1@x+y", api_name: evil, served_as: ["evil-<b>&$_"]}}
""")
        self.write("campaign.yaml", """version: 1
name: test
suite: pilot/1
seed: 7
endpoints: endpoints.yaml
models: ["m_1@x+y"]
scenarios: [baseline]
instances: 1
max_turns: 3
""")
        self.sortie("run", "campaign.yaml", "--quiet", "--limit", "1", check=0)
        self.sortie("report", "test", check=0)
        self.sortie("report", "test", "--lang", "zh", check=0)
        for name in ("markdown", "latex", "csv"):
            self.sortie("report", "test", "--format", name, check=0)
        files = [path for path in (self.folder / "runs/test").rglob("*")
                 if path.suffix in (".html", ".md", ".tex", ".csv", ".svg", ".json")]
        self.assertGreater(len(files), 30)
        for path in files:
            text = path.read_text(encoding="utf-8")
            self.assertNotRegex(text, "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", path)
            self.assertLess(len(text), 1_000_000, path)
            if path.suffix in (".html", ".md", ".svg"):
                self.assertNotIn("<script", text, path)
            if path.suffix == ".svg":
                xml.etree.ElementTree.fromstring(text)
        self.check_latex("test")
        question = "select trial from turn where length(message_text(answer)) > 1000000"
        trial = json.loads(self.sortie("sql", "test", question, "--json", check=0).stdout)[0]["trial"]
        for arguments in (("show", "test", trial), ("show", "test", trial, "--color", "always"), ("show", "test", trial, "--json"),
                          ("report", "test", "--format", "text"), ("status", "test"), ("compare", "test", "test"),
                          ("compare", "test", "test", "--lang", "zh", "--color", "always"), ("compare", "test", "test", "--json")):
            text = re.sub(r"\x1b\[[0-9;]*m", "", self.sortie(*arguments, check=0).stdout)
            self.assertNotRegex(text, "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", arguments)
        shown = self.sortie("show", "test", trial, check=0).stdout
        self.assertIn("\\u001b[2J", shown)
        self.assertGreater(len(shown), 1_000_000)  # whole, since it was asked for


if __name__ == "__main__":
    unittest.main()
