#!/usr/bin/env python3
"""A stream whose answer is complete counts, and its connection is closed, though the peer keeps it open for ever."""
import http.server
import json
import threading
import time
import unittest

from sockets import Watch
from sortie_test import SortieTest

GRACE = 5  # seconds for what may follow an answer's end


class Lingering(http.server.BaseHTTPRequestHandler):
    """Says everything, [DONE] included, and then neither ends the body nor closes: a body in chunks, and one that ends with its
    connection, in turn."""

    protocol_version = "HTTP/1.1"
    held = []  # seconds from the answer's end until the client closed

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        delta = {"role": "assistant", "content": "<finish/>"}
        usage = {"prompt_tokens": 10, "completion_tokens": 3, "total_tokens": 13}
        said = "".join("data: " + event + "\n\n" for event in (
            json.dumps({"id": "x", "model": asked["model"], "choices": [{"index": 0, "delta": delta, "finish_reason": "stop"}]}),
            json.dumps({"id": "x", "model": asked["model"], "choices": [], "usage": usage}), "[DONE]")).encode()
        in_chunks = len(self.held) % 2 == 0
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        if in_chunks:
            self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"%x\r\n%s\r\n" % (len(said), said) if in_chunks else said)
        self.wfile.flush()
        begin = time.monotonic()
        self.connection.settimeout(GRACE + 20)
        try:
            while self.connection.recv(4096):
                pass
            self.held.append(time.monotonic() - begin)
        except TimeoutError:
            self.held.append(float("inf"))
        except OSError:
            self.held.append(time.monotonic() - begin)  # it closed with RST
        self.close_connection = True

    def log_message(self, *_):
        pass


class Linger(SortieTest):
    def test_the_answer_counts_and_the_connection_is_closed(self):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Lingering)
        server.daemon_threads = True
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        # At once, over a key each.
        campaign = self.campaign(f"http://127.0.0.1:{server.server_port}/v1", keys=3, instances=1)
        campaign.write_text(campaign.read_text() + "task_types: [simple_task, basic_task, data_pipeline]\n")
        endpoints = (self.folder / "endpoints.yaml").read_text()
        self.write("endpoints.yaml", endpoints.replace("simulated: true\n", "stream: true\n"))
        process = self.start_sortie("run", "campaign.yaml", "--quiet")
        watch = Watch(process)
        # Exit code 0: every planned trial is scored.
        self.assertEqual(process.returncode, 0, process.stdout.read())
        attempts = self.query("SELECT cause, status, billing_known, output_tokens, duration_us / 1e6 FROM attempt_end")
        self.assertEqual({row[:4] for row in attempts}, {("answered", 200, 1, 3)})
        for *_, seconds in attempts:
            self.assertGreater(seconds, GRACE - 0.1)
            self.assertLess(seconds, GRACE + 1)
        self.assertEqual(len(Lingering.held), len(attempts))
        self.assertLess(max(Lingering.held), GRACE + 1)
        self.assertEqual(watch.close_wait_that_stays(), [])
        self.assertGreater(watch.established_max(), 0)
        self.assertLessEqual(watch.established_max(), len(attempts))


if __name__ == "__main__":
    unittest.main()
