#!/usr/bin/env python3
"""Five hundred keys that a hostile provider echoes in every way it can appear nowhere in what Sortie writes or says."""
import base64
import http.client
import http.server
import json
import pathlib
import re
import signal
import threading
import unittest
import urllib.parse

from sortie_test import FULL, SortieTest

KEYS = 500 if FULL else 100
LINK = re.compile(r"http://127\.0\.0\.1:(\d+)/#token=([0-9a-f]{32})")
PAGE = ["/v1/runs", "/v1/runs/test", "/v1/runs/test/cells", "/v1/runs/test/trials", "/v1/runs/test/trials/1",
        "/v1/runs/test/trials/1/messages/0", "/v1/runs/test/timeline", "/v1/runs/test/status", "/v1/runs/test/compare?a=x&b=y",
        "/metrics", "/healthz", "/v1/runs/sk-nothing"]


def secret(number):
    return f"sk-canary+{number:04d}/{(number * 2654435761) % 2**32:08x}=="


def answer(key, said):
    return {"id": key, "object": "chat.completion", "created": 1, "model": key, "system_fingerprint": key,
            "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": said}}],
            "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}}


def stream(key):
    """An answer in which no event holds the whole key."""
    for text in ("your key is " + key[:9], key[9:17], key[17:] + ".", ""):
        choice = {"index": 0, "delta": {"content": text}, "finish_reason": None if text else "stop"}
        yield "data: " + json.dumps({"id": "x", "model": "sim-large", "choices": [choice]}) + "\n\n"
    yield "data: [DONE]\n\n"


class Echo(http.server.BaseHTTPRequestHandler):
    """Answers with the key that it was sent: in a body, a header, a page, an address, an error inside 200, a model's name, a
    stream that cuts it; and as a proxy, with the user and the password that it was sent."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        length = int(self.headers.get("Content-Length", 0))
        streams = json.loads(self.rfile.read(length)).get("stream", False)
        key = self.headers["Authorization"].removeprefix("Bearer ")
        quoted = urllib.parse.quote(key, safe="")
        way = int(key.split("+")[1][:4]) % 8
        status, kind, headers = 401, "application/json", {}
        error = {"message": f"Incorrect API key provided: {key}. See /keys?key={quoted}", "type": f"invalid {key}",
                 "code": "invalid_api_key"}
        body = json.dumps({"error": error})
        if way == 1:
            headers = {"X-Echo": key, "X-Request-Id": key, "Retry-After": key}
            body = json.dumps({"error": {**error, "code": key}})
        elif way == 2:
            status, kind, body = 403, "text/html", f"<html><body>Forbidden: {key}</body></html>"
        elif way == 3:
            status = 200
        elif way == 4 or (way == 6 and not streams):
            status, body = 200, json.dumps(answer(key, f"your key is {key}"))
            if way == 4:  # as other encoders write it
                body = body.replace("/", "\\/").replace("=", "\\u003d")
        elif way == 5:
            status, headers = 307, {"Location": f"http://user:{quoted}@127.0.0.1:1/v1beta/models/m:generateContent?key={quoted}"}
        elif way == 6:
            status, kind, body = 200, "text/event-stream", "".join(stream(key))
        elif way == 7:
            body = json.dumps({"error": {**error, "message": f"Bad header: {base64.b64encode(key.encode()).decode()}"}})
        self.answer(status, kind, body, headers)

    def do_CONNECT(self):
        sent = self.headers.get("Proxy-Authorization", "").removeprefix("Basic ")
        said = base64.b64decode(sent).decode()
        self.answer(407, "text/html", f"<html>{sent} is {said}</html>", {"Proxy-Authenticate": f'Basic realm="{said}"'})

    def answer(self, status, kind, body, headers):
        body = body.encode()
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024

    def handle_error(self, *_):
        pass  # a client that was killed


class Secrets(SortieTest):
    def setUp(self):
        super().setUp()
        self.server = Server(("127.0.0.1", 0), Echo)
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.campaign("unused", instances=40 if FULL else 10)  # so many trials that each key is asked
        # Many endpoints, since one whose keys all fail is soon left alone.
        endpoints = "".join(self.endpoint(f"{'streamed' if first // 25 % 2 else 'plain'}-{first}", range(first, first + 25),
                                          "    stream: true\n" if first // 25 % 2 else "") for first in range(0, KEYS, 25))
        self.write("endpoints.yaml", f"version: 1\nmodels: {{sim-large: {{price: {{input: 1, output: 1}}}}}}\nendpoints:\n{endpoints}")
        self.said = []

    def endpoint(self, name, numbers, options=""):
        """Keys from the environment and from files."""
        keys = []
        for number in numbers:
            if number % 2 == 0:
                self.environment[f"PLANTED_{number}"] = secret(number)
                keys.append(f'      key-{number}: "env:PLANTED_{number}"\n')
            else:
                self.write(f"planted-{number}", secret(number) + "\n", mode=0o600)
                keys.append(f'      key-{number}: "file:planted-{number}"\n')
        return (f"  {name}:\n    dialect: openai\n    base_url: http://127.0.0.1:{self.server.server_port}/v1\n{options}"
                f"    keys:\n{''.join(keys)}    routes: [sim-large]\n")

    def say(self, *arguments):
        done = self.sortie(*arguments)
        self.said.append(done.stdout + done.stderr)
        return done

    def captured_streams(self):
        """What the events of captured streams say together: it may hold what none of them does."""
        said = []
        for path in (self.folder / "runs/test/capture").iterdir():
            body = json.loads(path.read_text()).get("answer", {}).get("body")
            if isinstance(body, str):
                events = [json.loads(line.removeprefix("data: ")) for line in body.splitlines() if line.startswith("data: {")]
                said.append("".join(event["choices"][0]["delta"]["content"] for event in events))
        return said

    def found(self):
        """Where a planted key shows, in its own form or in the ones that JSON and URLs give it."""
        planted = {form.encode() for number in range(KEYS) for text in [secret(number)]
                   for form in (text, text.replace("/", "\\/"), urllib.parse.quote(text, safe=""),
                                base64.b64encode(text.encode()).decode())}
        texts = {f"output {number}": text.encode() for number, text in enumerate(self.said)}
        for folder in ("runs", "state"):
            for path in pathlib.Path(self.folder / folder).rglob("*"):
                if path.is_file():
                    texts[str(path)] = path.read_bytes()
        places = set()
        for place, text in texts.items():
            if any(form in text for form in planted):
                places.add(place)
        return places

    def look_at_page(self, process):
        """Everything that the page's server tells, while the run goes on or after it."""
        line = process.stdout.readline()
        while line and not LINK.search(line):
            self.said.append(line)
            line = process.stdout.readline()
        port, token = LINK.search(line).groups()
        for path in PAGE:
            connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=20)
            try:
                connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
                reply = connection.getresponse()
                self.said.append(str(reply.getheaders()) + reply.read().decode())
            except (http.client.HTTPException, OSError):
                pass  # the run has ended
            finally:
                connection.close()

    def test_appear_nowhere(self):
        self.say("check", "endpoints.yaml")
        self.say("check", "endpoints.yaml", "--json")
        self.assertEqual(self.say("plan", "campaign.yaml").returncode, 0)
        process = self.start_sortie("run", "campaign.yaml", "--patience", "0.05", "--quiet", "--serve", "--log-level", "debug",
                                    "--capture", "all")
        self.look_at_page(process)
        self.said.append(process.communicate(timeout=300)[0])
        self.assertGreater(self.query("SELECT count(DISTINCT route) FROM attempt")[0][0], KEYS * 9 // 10,
                           self.query("SELECT cause, code, count(*) FROM attempt_end GROUP BY 1, 2") + self.said[-1:])
        self.assertGreater(len(list((self.folder / "runs/test/capture").iterdir())), KEYS // 2)
        split = self.query("SELECT count(*) FROM turn WHERE route LIKE 'streamed-%'")[0][0]
        self.assertGreater(split, 0)  # keys that no event of a stream held whole
        captured = self.captured_streams()
        self.assertGreaterEqual(sum("your key is [secret:" in text for text in captured), split)
        self.said += captured
        for command in (("status", "test", "--json"), ("verify", "test", "--json"), ("report", "test"), ("report", "test", "--json"),
                        ("show", "test", "1", "--json"), ("sql", "test", "select * from attempt_full"),
                        ("sql", "test", "select message_text(answer) from turn", "--format", "jsonl")):
            self.say(*command)
        served = self.start_sortie("serve", "runs")
        self.look_at_page(served)
        served.terminate()
        self.said.append(served.communicate(timeout=20)[0])
        # Exports hold messages as they were said, without the ledger's compression.
        for kind in ("parquet", "json", "jsonl", "csv"):
            self.say("export", "test", "--format", kind)
        self.assertEqual(self.found(), set())

    def test_a_proxys_password_appears_nowhere(self):
        user = urllib.parse.quote(secret(1), safe="")
        password = urllib.parse.quote(secret(2), safe="")
        for name in ("HTTPS_PROXY", "https_proxy"):
            self.environment[name] = f"http://{user}:{password}@127.0.0.1:{self.server.server_port}"
        self.environment["PLANTED_0"] = secret(0)
        self.write("endpoints.yaml", "version: 1\nmodels: {sim-large: {}}\nendpoints:\n  far:\n    dialect: openai\n"
                   "    base_url: https://provider.invalid/v1\n    keys: {key-0: env:PLANTED_0}\n    routes: [sim-large]\n")
        self.assertIn("407", self.say("check", "endpoints.yaml").stdout)
        self.say("run", "campaign.yaml", "--patience", "0.02", "--log-level", "debug", "--capture", "all")
        self.say("report", "test")
        self.say("export", "test", "--format", "json")
        self.assertGreater(self.query("SELECT count(*) FROM attempt_end")[0][0], 0)
        self.assertEqual(self.found(), set())

    def test_what_stands_in_a_file_by_mistake_is_refused_unsaid(self):
        key, quoted = secret(1), urllib.parse.quote(secret(1), safe="")
        self.environment["SPOILT"] = f"{key} and more"
        head = "version: 1\nmodels: {m: {}}\nendpoints:\n  e:\n    dialect: openai\n    routes: [m]\n"
        good = "    base_url: http://127.0.0.1:1/v1\n"
        for lines in (f'    base_url: "https://user:{quoted}@api.example.com/v1"\n    keys: {{k: env:K}}\n',
                      f'    base_url: "https://api.example.com/v1?key={quoted}"\n    keys: {{k: env:K}}\n',
                      f'    base_url: "https://api.example.com/v1#{quoted}"\n',
                      f'    base_url: "{key}"\n',
                      good + f'    proxy: "http://user:{quoted}@proxy.example.com:3128"\n',
                      good + f'    keys: {{k: "{key}"}}\n',
                      good + f'    keys: {{k: {{secret: "{key}"}}}}\n',
                      good + f'    keys: {{k: "env:{key}"}}\n',
                      good + "    keys: {k: env:SPOILT}\n",
                      good + f'    api_key: "{key}"\n',
                      good + f'    organization: "{key}\\n"\n'):
            self.write("endpoints.yaml", head + lines)
            self.write("campaign.yaml", "version: 1\nname: test\nsuite: pilot/1\nseed: 7\nendpoints: endpoints.yaml\nmodels: [m]\n"
                       "scenarios: [baseline]\n")
            for command in (("check", "endpoints.yaml"), ("plan", "campaign.yaml"), ("run", "campaign.yaml")):
                done = self.say(*command)
                if command[0] != "plan":
                    self.assertNotEqual(done.returncode, 0, lines)
                self.assertEqual(self.found(), set(), (command, lines, done.stderr))

    def test_a_crash_says_nothing_and_leaves_no_core(self):
        for number in (signal.SIGSEGV, signal.SIGABRT):
            process = self.start_sortie("run", "campaign.yaml")
            self.said.append(process.stdout.readline())
            process.send_signal(number)
            self.said.append(process.communicate(timeout=20)[0])
            self.assertNotEqual(process.returncode, 0)
            self.assertEqual(self.found(), set())
            self.assertEqual([path.name for path in self.folder.glob("core*")], [])


if __name__ == "__main__":
    unittest.main()
