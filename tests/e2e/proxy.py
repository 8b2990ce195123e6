"""A small proxy on loopback for tests: CONNECT for https, absolute URLs for http. It counts what it did."""
import http.client
import http.server
import select
import socket
import threading
import urllib.parse


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, headers=(), body=b""):
        self.send_response(status)
        for name, value in headers:
            if name.lower() not in ("connection", "transfer-encoding", "content-length"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def refused(self):
        status = self.server.refuses_with
        if status:
            self.answer(status)
            self.close_connection = True
        return bool(status)

    def do_CONNECT(self):
        self.server.tunnels += 1
        if self.refused():
            return
        host, port = self.path.rsplit(":", 1)
        with socket.create_connection((host, int(port))) as upstream:
            self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            self.wfile.flush()
            pair = {self.connection: upstream, upstream: self.connection}
            while True:
                for source in select.select(list(pair), [], [])[0]:
                    data = source.recv(65536)
                    if not data:
                        self.close_connection = True
                        return
                    pair[source].sendall(data)

    def do_POST(self):
        self.server.requests += 1
        if self.refused():
            return
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        url = urllib.parse.urlsplit(self.path)
        upstream = http.client.HTTPConnection(url.hostname, url.port)
        upstream.request("POST", url.path + (f"?{url.query}" if url.query else ""), body,
                         {name: value for name, value in self.headers.items() if not name.lower().startswith("proxy-")})
        got = upstream.getresponse()
        data = got.read()
        upstream.close()
        self.answer(got.status, got.getheaders(), data)

    def log_message(self, *_):
        pass


class Proxy(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, refuses_with=0):
        super().__init__(("127.0.0.1", 0), Handler)
        self.refuses_with = refuses_with
        self.tunnels = self.requests = 0
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request, client_address):
        pass  # clients leave

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"

    def stop(self):
        self.shutdown()
        self.server_close()
