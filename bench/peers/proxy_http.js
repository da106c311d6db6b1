/**
 * A plain HTTP proxy on Node's own `http`: adds an access token and passes each request on, over kept connections.
 * It looks into nothing and keeps nothing.
 *
 * Usage: node proxy_http.js UPSTREAM_URL. Prints `ready PORT`.
 */

import http from "node:http";
import process from "node:process";

const upstream = new URL(process.argv[2]);
const agent = new http.Agent({ keepAlive: true, maxSockets: 100 });

const server = http.createServer((request, answer) => {
  const { host: _host, ...headers } = request.headers;
  const onward = http.request(
    {
      agent,
      host: upstream.hostname,
      port: upstream.port,
      method: request.method,
      path: request.url,
      headers: { ...headers, authorization: "Bearer bench" },
    },
    (received) => {
      answer.writeHead(received.statusCode, received.headers);
      received.pipe(answer);
    },
  );
  onward.on("error", () => answer.writeHead(502).end());
  request.pipe(onward);
});
server.listen({ host: "127.0.0.1", port: 0, backlog: 2048 }, () => {
  process.stdout.write(`ready ${server.address().port}\n`);
});
