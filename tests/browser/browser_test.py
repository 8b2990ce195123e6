#!/usr/bin/env python3
"""The web page in Chromium, over a running campaign and over finished ones."""
import http.server
import json
import os
import pathlib
import re
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "e2e"))
from sortie_test import SOURCE, SortieTest  # noqa: E402

LINK = re.compile(r"http://127\.0\.0\.1:\d+/#token=\S+")
STRANGE = ("<script>window.hacked = 1</script><img src=x onerror=\"window.hacked = 1\">\n"
           "\x1b[31mred\x1b[0m \x1b]8;;http://evil.example\x07link\x1b]8;;\x07\n"
           "right to left: \u202egnp.exe\u202c \u2066isolated\u2069 \u200f\n"
           "</pre></textarea><style>*{display:none}</style>{{constructor.constructor('window.hacked = 1')()}}\n")


class StrangeModel(http.server.BaseHTTPRequestHandler):
    """Answers at first with a megabyte of what no page should obey, then ends the dialogue."""

    def do_POST(self):
        length = int(self.headers["Content-Length"])
        asked = json.loads(self.rfile.read(length))
        first = all(message["role"] != "assistant" for message in asked["messages"])
        text = STRANGE + "x" * 1_100_000 if first else f"<finish>{STRANGE}</finish>"
        body = json.dumps({"id": "1", "object": "chat.completion", "model": asked["model"],
                           "choices": [{"index": 0, "finish_reason": "stop",
                                        "message": {"role": "assistant", "content": text}}],
                           "usage": {"prompt_tokens": 10, "completion_tokens": 10, "total_tokens": 20}}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Browser(SortieTest):
    def link_of(self, process):
        line = process.stdout.readline()
        while line and not LINK.search(line):
            line = process.stdout.readline()
        self.assertTrue(line, "no link was printed")
        return LINK.search(line)[0]

    def node(self, script, link=""):
        done = subprocess.run([os.environ["NODE"], "--test", "--test-reporter=spec", SOURCE / "tests/browser" / script],
                              env={**self.environment, "LINK": link}, capture_output=True, text=True, timeout=300)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertRegex(done.stdout, r"pass [1-9]")

    def strange_run(self):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), StrangeModel)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.campaign(f"http://127.0.0.1:{server.server_port}/v1", instances=1)
        path = self.folder / "campaign.yaml"
        path.write_text(path.read_text().replace("name: test", "name: strange"))
        self.sortie("run", "campaign.yaml", "--quiet", check=0)

    def check_terminal_and_report(self):
        """The strange answers on a terminal and in the report are text, and steer nothing."""
        self.sortie("report", "strange", check=0)
        shown = self.sortie("show", "strange", "1", check=0).stdout
        self.assertIn("<script>window.hacked = 1</script>", shown)
        self.assertIn("\\u001b[31mred", shown)
        texts = {"show": shown, "status": self.sortie("status", "strange", check=0).stdout,
                 "report": (self.folder / "runs/strange/report.html").read_text()}
        for name, text in texts.items():
            self.assertNotRegex(text, "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]", name)
        self.assertNotIn("<script>window.hacked", texts["report"])
        self.assertNotIn("<img src=x", texts["report"])

    def throttled_run(self, instances=2):
        """The quickstart behind one key, of whose limit nobody told, with fewer tasks."""
        self.quickstart(keys=1)
        campaign = self.folder / "campaign.yaml"
        campaign.write_text(campaign.read_text().replace("instances: 5", f"instances: {instances}"))
        path = self.folder / "endpoints.yaml"
        text, count = re.subn(r"    limits:\n      - .*\n", "", path.read_text())
        self.assertEqual(count, 1)
        path.write_text(text)
        run = self.start_sortie("run", "campaign.yaml", "--quiet", "--serve")
        return run, self.link_of(run)

    def test_pages(self):
        run, link = self.throttled_run()
        self.node("live.test.mjs", link)
        self.strange_run()  # meanwhile the other one ends
        self.check_terminal_and_report()
        out, _ = run.communicate(timeout=240)
        self.assertEqual(run.returncode, 0, out)
        served = self.start_sortie("serve", "runs")
        self.node("finished.test.mjs", self.link_of(served))

    def test_strings(self):
        self.node("strings.test.mjs")


if __name__ == "__main__":
    unittest.main()
