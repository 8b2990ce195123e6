// HTTP/2 before a provider that speaks HTTP/1.1, for tests of the real binary: passes requests on to BACKEND, but every
// FAULT_EVERY-th one meets a fault, each in its turn. Listens on loopback three times and prints one JSON line {"plain": PORT,
// "tls": PORT, "single": PORT}, as server.mjs does; what happened is printed as a second line when its standard input ends.
//
//   node front.mjs CERTIFICATE.pem KEY.pem BACKEND FAULT_EVERY
import fs from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';

const [certificate, key] = process.argv.slice(2, 4).map((path) => fs.readFileSync(path));
const backend = new URL(process.argv[4]);
const fault_every = Number(process.argv[5]);
const { NGHTTP2_REFUSED_STREAM, NGHTTP2_INTERNAL_ERROR, NGHTTP2_NO_ERROR } = http2.constants;
const seen = { requests: 0, passed: 0, http1: 0, streams_at_once: 0, faults: {} };
const agent = new http.Agent({ keepAlive: true, maxSockets: 256 });

const begin = (stream) => stream.respond({ ':status': 200, 'content-type': 'text/event-stream' });
const every = (stream, ms, text) => {
  const timer = setInterval(() => stream.write(text), ms);
  stream.on('close', () => clearInterval(timer));
};

const pass_on = (stream, headers) => {
  const fields = Object.fromEntries(Object.entries(headers).filter(([name]) => !name.startsWith(':') && name !== 'host'));
  const options = { host: backend.hostname, port: backend.port, path: headers[':path'], method: headers[':method'], headers: fields, agent };
  const asked = http.request(options, (answer) => {
    if (stream.destroyed) {
      answer.resume();
      return;
    }
    const back = Object.fromEntries(Object.entries(answer.headers)
      .filter(([name]) => !['connection', 'keep-alive', 'transfer-encoding'].includes(name)));
    stream.respond({ ':status': answer.statusCode, ...back });
    answer.pipe(stream);
    seen.passed += 1;
  });
  asked.on('error', () => !stream.destroyed && stream.close(NGHTTP2_INTERNAL_ERROR));
  stream.on('close', () => stream.rstCode !== NGHTTP2_NO_ERROR && asked.destroy());
  stream.pipe(asked);
};

const faults = {
  refused: (stream) => stream.close(NGHTTP2_REFUSED_STREAM),
  // Everything up to this stream is answered; nothing new is taken on this connection.
  goaway: (stream, headers) => (stream.session.goaway(NGHTTP2_NO_ERROR, stream.id), pass_on(stream, headers)),
  // This stream is not worked on any more. Node cannot say so of the first one.
  goaway_above: (stream) => (stream.id === 1 ? stream.close(NGHTTP2_REFUSED_STREAM) : stream.session.goaway(NGHTTP2_NO_ERROR, stream.id - 2)),
  reset: (stream) => stream.close(NGHTTP2_INTERNAL_ERROR),
  reset_late: (stream) => (begin(stream), stream.write(': a\n\n', () => stream.destroy(new Error('broken on purpose')))),
  silent: () => {},
  head: (stream) => begin(stream),
  drip: (stream) => (begin(stream), every(stream, 50, 'x')),
  comments: (stream) => (begin(stream), every(stream, 50, ': keep-alive\n\n')),
  die: (stream) => stream.session.destroy(),
  die_late: (stream) => (begin(stream), stream.write(': a\n\n', () => stream.session.destroy())),
};
const kinds = Object.keys(faults);

const serve = (stream, headers) => {
  stream.on('error', () => {});
  seen.requests += 1;
  if (seen.requests % fault_every !== 0) {
    pass_on(stream, headers);
    return;
  }
  const kind = kinds[(seen.requests / fault_every) % kinds.length];
  seen.faults[kind] = (seen.faults[kind] ?? 0) + 1;
  faults[kind](stream, headers);
};

const watched = (server) => {
  server.on('session', (session) => {
    session.on('error', () => {});
    session.streams_now = 0;
  });
  server.on('stream', (stream, headers) => {
    const { session } = stream;
    session.streams_now += 1;
    seen.streams_at_once = Math.max(seen.streams_at_once, session.streams_now);
    stream.on('close', () => (session.streams_now -= 1));
    serve(stream, headers);
  });
  server.on('request', (request, response) => {
    if (request.httpVersionMajor === 1) {
      seen.http1 += 1;
      response.writeHead(505).end();
    }
  });
  return server;
};

const tls = { cert: certificate, key, allowHTTP1: true };
const servers = {
  plain: watched(http2.createServer()),
  tls: watched(http2.createSecureServer(tls)),
  single: watched(http2.createSecureServer({ ...tls, settings: { maxConcurrentStreams: 1 } })),
};
const ports = {};
for (const [name, server] of Object.entries(servers)) {
  await new Promise((ready) => server.listen(0, '127.0.0.1', ready));
  ports[name] = server.address().port;
}
console.log(JSON.stringify(ports));
process.stdin.resume();
process.stdin.on('end', () => {
  console.log(JSON.stringify(seen));
  process.exit(0);
});
