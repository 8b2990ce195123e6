#!/usr/bin/env python3
"""Five hundred keys that a hostile provider echoes in every way it can appear nowhere in what Sortie writes or says."""
import http.server
import json
import pathlib
import signal
import threading
import unittest
import urllib.parse

from sortie_test import SortieTest

KEYS = 500


def secret(number):
    return f"sk-canary+{number:04d}/{(number * 2654435761) % 2**32:08x}=="


class Echo(http.server.BaseHTTPRequestHandler):
    """Answers with the key that it was sent: in a body, a header, a page, an error inside 200, a model's name."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        key = self.headers["Authorization"].removeprefix("Bearer ")
        way = int(key.split("+")[1][:4]) % 5
        status, kind, headers = 401, "application/json", {}
        error = {"message": f"Incorrect API key provided: {key}. See /keys?key={urllib.parse.quote(key, safe='')}",
                 "type": f"invalid {key}", "code": "invalid_api_key"}
        body = json.dumps({"error": error})
        if way == 1:
            headers = {"X-Echo": key, "X-Request-Id": key, "Retry-After": key}
            body = json.dumps({"error": {**error, "code": key}})
        elif way == 2:
            status, kind, body = 403, "text/html", f"<html><body>Forbidden: {key}</body></html>"
        elif way == 3:
            status = 200
        elif way == 4:
            status = 200
            body = json.dumps({"id": key, "object": "chat.completion", "created": 1, "model": key, "system_fingerprint": key,
                               "choices": [{"index": 0, "finish_reason": "stop",
                                            "message": {"role": "assistant", "content": f"your key is {key}"}}],
                               "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}})
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


class Secrets(SortieTest):
    def setUp(self):
        super().setUp()
        self.server = Server(("127.0.0.1", 0), Echo)
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        keys = []
        for number in range(KEYS):
            if number % 2 == 0:
                self.environment[f"PLANTED_{number}"] = secret(number)
                keys.append(f'      key-{number}: "env:PLANTED_{number}"\n')
            else:
                self.write(f"planted-{number}", secret(number) + "\n", mode=0o600)
                keys.append(f'      key-{number}: "file:planted-{number}"\n')
        self.campaign("unused")
        self.write("endpoints.yaml", "version: 1\nmodels: {sim-large: {price: {input: 1, output: 1}}}\nendpoints:\n  pool:\n"
                   f"    dialect: openai\n    base_url: http://127.0.0.1:{self.server.server_port}/v1\n    keys:\n{''.join(keys)}"
                   "    routes: [sim-large]\n")
        self.said = []

    def say(self, *arguments):
        done = self.sortie(*arguments)
        self.said.append(done.stdout + done.stderr)
        return done

    def found(self):
        """Where a planted key shows, in its own form or in the ones that JSON and URLs give it."""
        planted = {form.encode() for number in range(KEYS) for text in [secret(number)]
                   for form in (text, text.replace("/", "\\/"), urllib.parse.quote(text, safe=""))}
        texts = {f"output {number}": text.encode() for number, text in enumerate(self.said)}
        for folder in ("runs", "state"):
            for path in pathlib.Path(self.folder / folder).rglob("*"):
                if path.is_file():
                    texts[str(path)] = path.read_bytes()
        places = set()
        for place, text in texts.items():
            if b"canary" in text and any(form in text for form in planted):
                places.add(place)
        return places

    def test_appear_nowhere(self):
        self.say("check", "endpoints.yaml")
        self.say("check", "endpoints.yaml", "--json")
        self.say("plan", "campaign.yaml", "--explain")
        self.say("run", "campaign.yaml", "--patience", "0.02")
        self.assertGreater(self.query("SELECT count(*) FROM attempt_end")[0][0], 0)
        for command in (("status", "test", "--json"), ("verify", "test", "--json"), ("report", "test"), ("show", "test", "1", "--json")):
            self.say(*command)
        # Exports hold messages as they were said, without the ledger's compression.
        for kind in ("parquet", "json", "jsonl", "csv"):
            self.say("export", "test", "--format", kind)
        self.assertEqual(self.found(), set())

    def test_a_crash_says_nothing_and_leaves_no_core(self):
        process = self.start_sortie("run", "campaign.yaml")
        self.said.append(process.stdout.readline())
        process.send_signal(signal.SIGSEGV)
        self.said.append(process.communicate(timeout=20)[0])
        self.assertEqual(self.found(), set())
        self.assertEqual([path.name for path in self.folder.glob("core*")], [])


if __name__ == "__main__":
    unittest.main()
