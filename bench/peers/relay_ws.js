/**
 * A plain relay on `ws`: JSON in, one member added, JSON out, both ways. It keeps nothing.
 *
 * Usage: node relay_ws.js UPSTREAM_URL. Prints `ready PORT`.
 */

import process from "node:process";
import { WebSocket, WebSocketServer } from "ws";

const [, , upstreamUrl] = process.argv;
const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false, backlog: 2048 });

server.on("listening", () => process.stdout.write(`ready ${server.address().port}\n`));
server.on("connection", (browser) => {
  const upstream = new WebSocket(upstreamUrl, { perMessageDeflate: false });
  const early = [];
  const toUpstream = stamp((text) => (upstream.readyState === WebSocket.OPEN ? upstream.send(text) : early.push(text)));
  const toBrowser = stamp((text) => browser.send(text));
  upstream.on("open", () => early.splice(0).forEach((text) => upstream.send(text)));
  browser.on("message", toUpstream);
  upstream.on("message", toBrowser);
  browser.on("close", () => upstream.terminate());
  upstream.on("close", () => browser.close());
  browser.on("error", () => browser.terminate());
  upstream.on("error", () => browser.terminate());
});

/**
 * Number the frames of one direction.
 *
 * @param {(text: string) => void} send
 * @returns {(data: Buffer) => void}
 */
function stamp(send) {
  let number = 0;
  return (data) => {
    const message = JSON.parse(data.toString());
    number += 1;
    message.seq = number;
    send(JSON.stringify(message));
  };
}
