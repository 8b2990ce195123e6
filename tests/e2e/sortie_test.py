"""What the tests of the real binary share: a folder, files, a simulator on free ports, the binary itself.

Environment: SORTIE (binary), SORTIE_SOURCE (tree), NODE (for JavaScript servers), SORTIE_FULL (full counts).
"""
import concurrent.futures
import json
import os
import pathlib
import re
import sqlite3
import subprocess
import sys
import tempfile
import time
import unittest

SORTIE = os.environ["SORTIE"]
SOURCE = pathlib.Path(os.environ["SORTIE_SOURCE"])
FULL = "SORTIE_FULL" in os.environ

ENDPOINTS = """version: 1
models:
  sim-large: {{family: sim, size_b: 72, price: {{input: 0.5, output: 1.5}}}}
endpoints:
  pool:
    dialect: openai
    base_url: {url}
    simulated: true
    keys: {{{keys}}}
    routes:
      - {{model: sim-large, api_name: sim-large}}
{limits}"""

CAMPAIGN = """version: 1
name: test
suite: pilot/1
seed: 7
endpoints: endpoints.yaml
models: [sim-large]
scenarios: [{scenarios}]
instances: {instances}
"""

PROVIDER = """version: 1
seed: 3
providers:
  pool:
    listen: 127.0.0.1:0
    models:
      sim-large: {{skill: 0.8, ttft_ms: {{median: {latency}, sigma: 0.3}}, price_input: 0.5, price_output: 1.5}}
    keys: {{key-1: {{key: canary-key-1}}, key-2: {{key: canary-key-2}}, key-3: {{key: canary-key-3}}}}
{rest}"""


def main(at_once=3):
    """As unittest.main(), but with so many tests at once, each in a process of its own: for those that mostly wait."""
    if len(sys.argv) > 1:
        unittest.main()
    script = sys.argv[0]

    def run(name):
        return subprocess.run([sys.executable, script, name], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    names = [test.id().removeprefix("__main__.")
             for case in unittest.defaultTestLoader.loadTestsFromModule(sys.modules["__main__"]) for test in case]
    with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
        runs = list(pool.map(run, names))
    print("".join(f"{name}\n{done.stdout}" for name, done in zip(names, runs, strict=True)))
    sys.exit(any(done.returncode != 0 for done in runs) or not runs)


class SortieTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.environment = dict(os.environ)
        self.environment["XDG_STATE_HOME"] = str(self.folder / "state")
        for i in (1, 2, 3):
            self.environment[f"KEY_{i}"] = self.environment[f"SORTIE_QUICKSTART_KEY_{i}"] = f"canary-key-{i}"

    def write(self, name, text, mode=0o644):
        path = self.folder / name
        path.write_text(text)
        path.chmod(mode)
        return path

    def sortie(self, *arguments, check=None, timeout=300):
        done = subprocess.run([SORTIE, *map(str, arguments)], cwd=self.folder, env=self.environment,
                              capture_output=True, text=True, timeout=timeout)
        if check is not None:
            self.assertEqual(done.returncode, check, f"{arguments}\n{done.stdout}\n{done.stderr}")
        return done

    def start_sortie(self, *arguments, **options):
        process = subprocess.Popen([SORTIE, *map(str, arguments)], cwd=self.folder, env=self.environment,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
        self.addCleanup(self.end, process)
        return process

    @staticmethod
    def end(process):
        if process.poll() is None:
            process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()

    def simulate(self, profile, audit=True):
        """Starts a simulator; returns the base URLs of its providers and the path of its audit log."""
        path = self.write("providers.yaml", profile)
        log = self.folder / "audit.jsonl"
        process = self.start_sortie("simulate", path, *(["--audit", log] if audit else []))
        urls = []
        for _ in range(profile.count("listen:")):
            line = process.stdout.readline()
            self.assertTrue(line.startswith("listening on "), line + (process.stdout.read() if not line else ""))
            urls.append(line.split()[-1])
        return urls, log

    def campaign(self, url, keys=1, limits="", instances=2, scenarios="baseline"):
        names = ", ".join(f'key-{i}: "env:KEY_{i}"' for i in range(1, keys + 1))
        self.write("endpoints.yaml", ENDPOINTS.format(url=url, keys=names, limits=limits))
        return self.write("campaign.yaml", CAMPAIGN.format(instances=instances, scenarios=scenarios))

    def quickstart(self, keys=3):
        """Writes the files of examples/quickstart, with this many keys and on free ports, and starts their simulator.
        Returns its audit log."""
        example = SOURCE / "examples/quickstart"
        profile = (example / "providers.yaml").read_text()
        ports = re.findall(r"listen: 127\.0\.0\.1:(\d+)", profile)
        urls, audit = self.simulate(re.sub(r"(listen: 127\.0\.0\.1):\d+", r"\1:0", profile))
        endpoints = (example / "endpoints.yaml").read_text()
        for port, url in zip(ports, urls, strict=True):
            endpoints = endpoints.replace(f"http://127.0.0.1:{port}/v1", url)
        for i in range(keys + 1, 4):
            endpoints, count = re.subn(rf"\n +key-{i}: .*", "", endpoints)
            self.assertEqual(count, 1)
        self.write("endpoints.yaml", endpoints)
        self.write("campaign.yaml", (example / "quickstart.yaml").read_text().replace("name: quickstart", "name: test"))
        return audit

    def provider(self, latency=5, rest=""):
        return PROVIDER.format(latency=latency, rest=rest)

    def table(self, run="runs/test"):
        """The scored table, as bytes that are equal for equal scores: without the routes that are suspect, which say how the
        run went."""
        document = json.loads(self.sortie("report", run, "--json", check=0).stdout)
        document.pop("suspect_routes", None)
        return json.dumps(document)

    def ledger_bytes(self, run="runs/test"):
        """The size of a run's ledger with its log: what grows while a run goes on."""
        total = 0
        for name in ("ledger.db", "ledger.db-wal"):
            try:
                total += os.stat(self.folder / run / name).st_size
            except FileNotFoundError:
                pass
        return total

    def scores(self, run="runs/test"):
        """What was scored of each trial, in the order of their keys."""
        return self.query("SELECT hex(t.key), s.success, s.progress, s.level, s.order_score, s.calls, s.calls_ok, s.turns, s.label "
                          "FROM trial t JOIN score s ON s.trial = t.id ORDER BY t.key, s.scorer", run)

    def query(self, sql, run="runs/test"):
        connection = sqlite3.connect(f"file:{self.folder / run / 'ledger.db'}?mode=ro", uri=True)
        try:
            return connection.execute(sql).fetchall()
        finally:
            connection.close()

    def drop_page_checksums(self, run="runs/test"):
        """A change by another program shows as damage, unless it leaves the pages bare: the last eight bytes zero."""
        path = self.folder / run / "ledger.db"
        data = bytearray(path.read_bytes())
        size = int.from_bytes(data[16:18], "big")
        for end in range(size, len(data) + 1, size):
            data[end - 8:end] = bytes(8)
        path.write_bytes(data)

    def audit_entries(self, audit):
        """Judged requests of an audit log, without the second lines of those that hung up, nor one that is being written."""
        entries = {}
        for line in audit.read_text().splitlines(keepends=True):
            if not line.endswith("\n"):
                break
            entry = json.loads(line)
            entries.setdefault((entry["provider"], entry["id"]), entry)
        return list(entries.values())

    def attempts(self, run="runs/test"):
        """identity → (input tokens, output tokens, cost, reserved cost); None for what an unknown attempt does not know."""
        rows = self.query("SELECT lower(hex(t.key)), a.turn, a.number, e.input_tokens, e.output_tokens, e.cost, a.reserved_cost "
                          "FROM attempt a JOIN trial t ON t.id = a.trial LEFT JOIN attempt_end e ON e.attempt = a.id", run)
        return {f"{key}/{turn}/{number}": rest for key, turn, number, *rest in rows}

    def remember(self, fingerprints, domain, kind, value, confidence=0.8, age_days=0):
        """As docs/design/ledger.md describes limits.db."""
        connection = sqlite3.connect(self.folder / "state/sortie/limits.db")
        connection.executescript(
            "CREATE TABLE IF NOT EXISTS limit_memory (fingerprint TEXT NOT NULL, domain TEXT NOT NULL, kind TEXT NOT NULL, "
            "cost TEXT NOT NULL, source TEXT NOT NULL, value REAL NOT NULL, window_seconds REAL NOT NULL, confidence REAL NOT NULL, "
            "at INTEGER NOT NULL, PRIMARY KEY (fingerprint, domain, kind, cost)) STRICT;"
            f"PRAGMA application_id = {0x5372746C}; PRAGMA user_version = 1;")
        at = int((time.time() - 86400 * age_days) * 1e6)
        for fingerprint in fingerprints:
            connection.execute("INSERT OR REPLACE INTO limit_memory VALUES (?, ?, ?, '', 'learned', ?, 60, ?, ?)",
                               (fingerprint, domain, kind, value, confidence, at))
        connection.commit()
        connection.close()

    def remembered(self):
        """Rows of limits.db: (domain, kind, value, confidence, at)."""
        connection = sqlite3.connect(self.folder / "state/sortie/limits.db")
        rows = connection.execute("SELECT domain, kind, value, confidence, at FROM limit_memory ORDER BY domain, fingerprint").fetchall()
        connection.close()
        return rows
