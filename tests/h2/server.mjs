// An HTTP/2 peer that misbehaves on request, for tests: Node's http2 module, an implementation that Sortie shares no code
// with. Listens on loopback three times and prints one JSON line {"plain": PORT, "tls": PORT, "single": PORT}:
// plain speaks HTTP/2 by prior knowledge, tls by ALPN (HTTP/1.1 too), single by ALPN with one stream at a time.
// What happens is said by the path; GET /stats tells what was seen. Ends with its standard input.
//
//   node server.mjs CERTIFICATE.pem KEY.pem
import fs from 'node:fs';
import http2 from 'node:http2';

const [certificate, key] = process.argv.slice(2, 4).map((path) => fs.readFileSync(path));
const { NGHTTP2_REFUSED_STREAM, NGHTTP2_INTERNAL_ERROR, NGHTTP2_NO_ERROR } = http2.constants;
const seen = { sessions: 0, open_sessions: 0, streams: {}, streams_at_once: 0, resets: {}, answered: 0, http1: 0 };
const sockets = new Map(); // by the client's port: a session does not give its own away

const answer = (stream, body = 'ok') => {
  stream.respond({ ':status': 200, 'content-type': 'text/plain' });
  stream.end(body);
  seen.answered += 1;
};
const begin = (stream) => stream.respond({ ':status': 200, 'content-type': 'text/event-stream' });
const every = (stream, ms, text) => {
  const timer = setInterval(() => stream.write(text), ms);
  stream.on('close', () => clearInterval(timer));
};

const acts = {
  '/ok': (stream) => answer(stream),
  '/echo': (stream) => {
    const parts = [];
    stream.on('data', (part) => parts.push(part));
    stream.on('end', () => answer(stream, Buffer.concat(parts)));
  },
  '/slow': (stream, ms) => setTimeout(() => !stream.destroyed && answer(stream), ms),
  '/refused': (stream) => stream.close(NGHTTP2_REFUSED_STREAM),
  '/reset': (stream) => stream.close(NGHTTP2_INTERNAL_ERROR),
  '/reset-late': (stream) => {
    begin(stream);
    // close() would end the body in order before it resets.
    stream.write('data: a\n\n', () => stream.destroy(new Error('broken on purpose')));
  },
  '/silent': () => {},
  '/head': (stream) => begin(stream),
  '/drip': (stream, ms) => (begin(stream), every(stream, ms, 'x')),
  '/comments': (stream, ms) => (begin(stream), every(stream, ms, ': keep-alive\n\n')),
  // Everything up to this stream is answered; nothing new is taken.
  '/goaway': (stream) => {
    stream.session.goaway(NGHTTP2_NO_ERROR, stream.id);
    setTimeout(() => !stream.destroyed && answer(stream), 20);
  },
  // This stream is not worked on any more, nor any after it. Node cannot say so of the first one.
  '/goaway-above': (stream) => {
    if (stream.id === 1) {
      stream.close(NGHTTP2_REFUSED_STREAM);
    } else {
      stream.session.goaway(NGHTTP2_NO_ERROR, stream.id - 2);
    }
  },
  // Answers, says goodbye, and closes the connection in idleness.
  '/bye': (stream) => {
    const { session } = stream;
    answer(stream);
    stream.on('close', () => setTimeout(() => session.close(), 30));
  },
  // Answers, and the connection is gone without a goodbye.
  '/fin': (stream) => {
    const socket = sockets.get(stream.session.socket.remotePort);
    answer(stream);
    stream.on('close', () => setTimeout(() => socket.destroy(), 30));
  },
  '/die': (stream) => stream.session.destroy(),
  '/die-late': (stream) => {
    begin(stream);
    stream.write('data: a\n\n', () => stream.session.destroy());
  },
};

const serve = (stream, headers) => {
  const url = new URL(headers[':path'], 'http://localhost');
  if (url.pathname === '/stats') {
    stream.respond({ ':status': 200, 'content-type': 'application/json' });
    stream.end(JSON.stringify(seen));
    return;
  }
  seen.streams[url.pathname] = (seen.streams[url.pathname] ?? 0) + 1;
  stream.on('error', () => {});
  stream.on('close', () => {
    stream.session_count.now -= 1;
    const code = String(stream.rstCode);
    seen.resets[code] = (seen.resets[code] ?? 0) + 1;
  });
  const act = acts[url.pathname];
  if (act === undefined) {
    stream.respond({ ':status': 404 });
    stream.end('no such act');
  } else {
    act(stream, Number(url.searchParams.get('ms') ?? 20));
  }
};

const counted = (server) => {
  const counts = new WeakMap();
  server.on('connection', (socket) => sockets.set(socket.remotePort, socket));
  server.on('session', (session) => {
    counts.set(session, { now: 0 });
    seen.sessions += 1;
    seen.open_sessions += 1;
    session.on('error', () => {});
    session.on('close', () => (seen.open_sessions -= 1));
  });
  server.on('stream', (stream, headers) => {
    stream.session_count = counts.get(stream.session);
    stream.session_count.now += 1;
    seen.streams_at_once = Math.max(seen.streams_at_once, stream.session_count.now);
    serve(stream, headers);
  });
  server.on('request', (request, response) => {
    if (request.httpVersionMajor === 1) {
      seen.http1 += 1;
      response.end('http1');
    }
  });
  return server;
};

const tls = { cert: certificate, key, allowHTTP1: true };
const servers = {
  plain: counted(http2.createServer()),
  tls: counted(http2.createSecureServer(tls)),
  single: counted(http2.createSecureServer({ ...tls, settings: { maxConcurrentStreams: 1 } })),
};
const ports = {};
for (const [name, server] of Object.entries(servers)) {
  await new Promise((ready) => server.listen(0, '127.0.0.1', ready));
  ports[name] = server.address().port;
}
console.log(JSON.stringify(ports));
process.stdin.resume();
process.stdin.on('end', () => process.exit(0));
