#!/usr/bin/env python3
"""The page's server over real sockets: without its token nothing is told, from another origin or host neither; paths lead
nowhere else; what floods or starves it does not disturb the run; finished runs are only read."""
import hashlib
import http.client
import json
import re
import resource
import signal
import socket
import stat
import time
import unittest

from sortie_test import FULL, SortieTest

LINK = re.compile(r"http://127\.0\.0\.1:(\d+)/#token=([0-9a-f]{32})")
SECRETS = ["/v1/runs", "/v1/runs/test", "/v1/runs/test/cells", "/v1/runs/test/trials", "/v1/runs/test/trials/1",
           "/v1/runs/test/trials/1/messages/0", "/v1/runs/test/timeline", "/v1/runs/test/compare?a=x&b=y",
           "/v1/runs/test/events", "/v1/runs/test/status", "/metrics", "/healthz"]


class Web(SortieTest):
    def setUp(self):
        super().setUp()
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, most), most))

    def start_run(self, instances=30, *flags):
        urls, self.audit = self.simulate(self.provider(latency=30))
        limits = "    limits:\n      - {per: [key], requests_per_minute: 3600, enforced_over: 1s}\n"
        self.campaign(urls[0], limits=limits, instances=instances)
        self.run_ = self.start_sortie("run", "campaign.yaml", "--quiet", "--serve", *flags)
        self.read_link(self.run_)

    def serve(self, directory="runs"):
        process = self.start_sortie("serve", directory)
        self.read_link(process)
        return process

    def read_link(self, process):
        line = process.stdout.readline()
        while line and not LINK.search(line):
            line = process.stdout.readline()
        self.assertTrue(line, "no link was printed")
        port, self.token = LINK.search(line).groups()
        self.port = int(port)

    def ask(self, path, method="GET", headers=None, body=None, token=True, timeout=10):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            sent = dict(headers or {})
            if token:
                sent["Authorization"] = f"Bearer {self.token}"
            connection.request(method, path, body=body, headers=sent)
            answer = connection.getresponse()
            return answer.status, answer.read(), dict(answer.getheaders())
        finally:
            connection.close()

    def status(self, path, **options):
        return self.ask(path, **options)[0]

    def raw(self, data, limit=65536):
        """What the server answers to bytes that no library would send."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as peer:
            peer.sendall(data)
            answer = b""
            while len(answer) < limit:
                piece = peer.recv(65536)
                if not piece:
                    break
                answer += piece
        return answer

    def test_nothing_is_told_without_the_token(self):
        self.start_run()
        for path in SECRETS:
            self.assertEqual(self.status(path, token=False), 401, path)
            self.assertEqual(self.status(path, token=False, headers={"Authorization": "Bearer " + "0" * 32}), 401, path)
            self.assertEqual(self.status(path, token=False, headers={"Cookie": f"sortie_{self.port}={self.token}"}), 401, path)
        pause = json.dumps({"action": "pause"})
        self.assertEqual(self.status("/v1/runs/test/control", method="POST", body=pause, token=False), 401)
        # The page's own files say nothing of the run.
        code, body, headers = self.ask("/runs/test/trials/1", token=False)
        self.assertEqual(code, 200)
        self.assertNotIn(b"sim-large", body)
        self.assertIn("script-src 'self'", headers["Content-Security-Policy"])

        code, _, headers = self.ask("/v1/session", method="POST", body=json.dumps({"token": self.token}), token=False)
        self.assertEqual(code, 200)
        self.assertIn("SameSite=Strict", headers["Set-Cookie"])
        self.assertNotIn(self.token, headers["Set-Cookie"])
        cookie = {"Cookie": headers["Set-Cookie"].split(";")[0]}
        self.assertEqual(self.status("/v1/runs/test", token=False, headers=cookie), 200)
        self.assertEqual(self.status("/v1/session", method="POST", body='{"token": "x"}', token=False), 401)

    def test_other_origins_and_hosts_are_refused(self):
        self.start_run()
        pause = json.dumps({"action": "pause"})
        for headers in ({"Origin": "http://evil.example"}, {"Origin": "null"}, {"Origin": f"https://127.0.0.1:{self.port}"},
                        {"Origin": f"http://127.0.0.1:{self.port + 1}"}, {"Host": "evil.example"},
                        {"Host": f"evil.example:{self.port}"}, {"Host": f"127.0.0.1.evil.example:{self.port}"}):
            for path in ["/", "/v1/runs", "/metrics"]:
                self.assertEqual(self.status(path, headers=headers), 403, (headers, path))
            self.assertEqual(self.status("/v1/runs/test/control", method="POST", body=pause, headers=headers), 403)
        self.assertEqual(self.status("/v1/runs", headers={"Origin": f"http://127.0.0.1:{self.port}"}), 200)
        self.assertEqual(json.loads(self.ask("/v1/runs/test/status")[1])["paused"], False)
        # With the token, from here: a person's change, recorded as one.
        self.assertEqual(self.status("/v1/runs/test/control", method="POST", body=pause), 200)
        self.assertEqual(json.loads(self.ask("/v1/runs/test/status")[1])["paused"], True)
        self.assertEqual(self.status("/v1/runs/test/control", method="POST", body='{"action": "resume"}'), 200)
        self.run_.send_signal(signal.SIGINT)
        self.run_.communicate(timeout=60)
        details = [json.loads(detail) for detail, in self.query("SELECT detail FROM event WHERE kind = 'control' ORDER BY id")]
        self.assertEqual([(one["action"], one["author"]) for one in details],
                         [("pause", "the web page"), ("resume", "the web page")])

    def test_paths_and_sizes_have_bounds(self):
        self.start_run()
        authorized = f"Host: 127.0.0.1:{self.port}\r\nAuthorization: Bearer {self.token}\r\nConnection: close\r\n"
        for path in ["/../../../../etc/passwd", "/assets/../../etc/passwd", "/v1/runs/../../etc", "/v1/runs/..%2f..%2fetc/cells",
                     "/v1/runs/%2e%2e/cells", "/assets/..%5c..%5cpasswd", "/assets/%2fetc%2fpasswd", "/v1/runs/%00", "//etc/passwd",
                     "/v1/runs/test%2f..%2ftest"]:
            answer = self.raw(f"GET {path} HTTP/1.1\r\n{authorized}\r\n".encode())
            self.assertRegex(answer.split(b"\r\n")[0], rb"HTTP/1\.1 40[04] ", path)
            self.assertNotIn(b"root:", answer)
        self.assertIn(b" 431 ", self.raw(f"GET / HTTP/1.1\r\n{authorized}X: {'a' * 40000}\r\n\r\n".encode())[:40])
        self.assertIn(b" 413 ", self.raw(
            f"POST /v1/session HTTP/1.1\r\n{authorized}Content-Length: 100000000\r\n\r\n".encode())[:40])
        # A body whose size nobody announced, and one announced in two ways.
        chunk = b"10000\r\n" + b"a" * 0x10000 + b"\r\n"
        self.assertIn(b" 413 ", self.raw(
            f"POST /v1/session HTTP/1.1\r\n{authorized}Transfer-Encoding: chunked\r\n\r\n".encode() + chunk * 4)[:40])
        self.assertIn(b" 400 ", self.raw(
            f"POST /v1/session HTTP/1.1\r\n{authorized}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
            .encode())[:40])
        self.assertIn(b" 400 ", self.raw(b"\x16\x03\x01 nonsense\r\n\r\n")[:40])
        self.assertEqual(self.status("/v1/runs/test/control", method="POST", body="{" * 1000), 400)
        self.assertEqual(self.status("/healthz"), 200)

    def test_idle_and_slow_clients_disturb_nobody(self):
        self.start_run(60 if FULL else 12)
        idle = [socket.create_connection(("127.0.0.1", self.port)) for _ in range(1000)]
        slow = [socket.create_connection(("127.0.0.1", self.port)) for _ in range(50)]
        for peer in slow:
            peer.sendall(b"GET / HTTP/1.1\r\nHo")
        try:
            sent = len(self.audit.read_text().splitlines())
            for _ in range(10):
                start = time.monotonic()
                self.assertEqual(self.status("/v1/runs/test/status"), 200)
                self.assertLess(time.monotonic() - start, 5)
                for peer in slow:
                    try:
                        peer.sendall(b"x")
                    except OSError:
                        pass  # it had to make room
            out, _ = self.run_.communicate(timeout=240)
            self.assertGreater(len(self.audit.read_text().splitlines()), sent)
        finally:
            for peer in idle + slow:
                peer.close()
        self.assertEqual(self.run_.returncode, 0, out)
        self.sortie("verify", "runs/test", check=0)

    def test_finished_runs_are_only_read(self):
        self.start_run(2)
        self.run_.communicate(timeout=120)
        ledger = self.folder / "runs/test/ledger.db"
        before = hashlib.sha256(ledger.read_bytes()).hexdigest()
        process = self.serve()
        overview = json.loads(self.ask("/v1/runs/test")[1])
        self.assertEqual(overview["scored"], overview["planned"])
        table = json.loads(self.table())
        cells = json.loads(self.ask("/v1/runs/test/cells")[1])["cells"]
        scored = {cell["cell"]: (cell["scored"], cell["succeeded"]) for cell in cells}
        self.assertEqual(scored, {cell["id"]: (cell["n"], cell["successes"]) for cell in table["cells"]})
        transcript = json.loads(self.ask("/v1/runs/test/trials/1")[1])
        shown = json.loads(self.sortie("show", "test", "1", "--json", check=0).stdout)
        self.assertEqual([one["text"] for one in transcript["messages"]], [one["text"] for one in shown["messages"]])
        self.assertEqual(transcript["score"]["label"], shown["label"])
        self.assertEqual(self.status("/v1/runs/test/events"), 204)
        self.assertEqual(self.status("/v1/runs/test/control", method="POST", body='{"action": "pause"}'), 404)
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(timeout=10), 0)
        self.assertEqual(hashlib.sha256(ledger.read_bytes()).hexdigest(), before)

    def test_a_token_file_is_made_kept_and_guarded(self):
        path = self.folder / "token"
        self.folder.joinpath("runs").mkdir()
        first = self.start_sortie("serve", "runs", "--token-file", path)
        self.read_link(first)
        made = self.token
        self.assertEqual(path.read_text().strip(), made)
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
        second = self.start_sortie("serve", "runs", "--token-file", path)
        self.read_link(second)
        self.assertEqual(self.token, made)
        self.assertEqual(json.loads(self.ask("/v1/runs")[1])["runs"], [])
        taken = self.sortie("serve", "runs", "--port", self.port, check=3)
        self.assertIn(str(self.port), taken.stderr)
        path.chmod(0o644)
        refused = self.sortie("serve", "runs", "--token-file", path)
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("chmod 600", refused.stderr)
        self.assertIn("is no directory", self.sortie("serve", "nowhere", check=2).stderr)

    def test_it_listens_elsewhere_only_where_told(self):
        self.folder.joinpath("runs").mkdir()
        process = self.start_sortie("serve", "runs", "--listen", "127.0.0.2")  # loopback has more than one address
        line = process.stdout.readline()
        port, self.token = re.fullmatch(r"http://127\.0\.0\.2:(\d+)/#token=(\w+)\n", line).groups()
        self.port = int(port)
        with self.assertRaises(OSError):
            self.ask("/healthz")
        for host, code in ((f"127.0.0.2:{port}", 200), (f"127.0.0.1:{port}", 403), (f"evil.example:{port}", 403)):
            connection = http.client.HTTPConnection("127.0.0.2", self.port, timeout=10)
            connection.request("GET", "/healthz", headers={"Host": host, "Authorization": f"Bearer {self.token}"})
            self.assertEqual(connection.getresponse().status, code, host)
            connection.close()
        self.assertIn("is no IPv4 address", self.sortie("serve", "runs", "--listen", "here", check=2).stderr)

    def test_a_run_of_another_process_is_shown_and_metered(self):
        urls, _ = self.simulate(self.provider(latency=60))
        self.campaign(urls[0], limits="    limits:\n      - {per: [key], requests_per_minute: 1200, enforced_over: 1s}\n", instances=30)
        run = self.start_sortie("run", "campaign.yaml", "--quiet", "--open", "10")
        until = time.monotonic() + 60
        while not (self.folder / "runs/test/control.sock").exists():
            self.assertLess(time.monotonic(), until)
            time.sleep(0.05)
        self.serve()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        self.addCleanup(connection.close)
        connection.request("GET", "/v1/runs/test/events", headers={"Authorization": f"Bearer {self.token}"})
        events = connection.getresponse()
        self.assertEqual(events.getheader("Content-Type"), "text/event-stream")
        self.assertEqual(events.readline(), b"event: state\n")
        state = json.loads(events.readline()[len(b"data: "):])
        self.assertEqual(state["planned"], 150)
        turns = state["turns"]
        while True:
            line = events.readline()
            if line.startswith(b"data: "):
                turns = json.loads(line[len(b"data: "):]).get("turns", turns)
            if turns > state["turns"] + 20:
                break
        metrics = self.ask("/metrics")[1].decode()
        self.assertRegex(metrics, r'sortie_requests_total\{run="test",route="pool/key-1/sim-large",model="sim-large",result="answered"\} [1-9]')
        self.assertEqual(self.status("/v1/runs/test/control", method="POST", body='{"action": "drain"}'), 200)
        run.communicate(timeout=120)
        self.assertEqual(run.returncode, 1)
        # The stream says that the run has ended, and ends itself.
        rest = events.read()
        self.assertIn(b"event: end\n", rest)
        self.assertNotIn("sortie_requests_total{", self.ask("/metrics")[1].decode())


if __name__ == "__main__":
    unittest.main()
