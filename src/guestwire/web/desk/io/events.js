/**
 * The event socket: opened, read, and opened again whenever it is lost.
 *
 * @import { Change, LinkStatus } from "../core/types.js"
 */

import { parseChange } from "../core/fold.js";

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 8000;
/** A socket that has not brought its snapshot by then is given up. */
const OPEN_TIMEOUT_MS = 10_000;

/**
 * @typedef {object} EventHandlers
 * @property {(change: Change) => void} onChange The first after each opening is a snapshot.
 * @property {(status: LinkStatus, retryAt?: number) => void} onLink `open` comes with the snapshot, not with the
 *   socket: only then is what the page shows true. `retryAt` is epoch milliseconds.
 */

/**
 * @param {EventHandlers} handlers
 * @param {string} [path]
 * @returns {{ retryNow: () => void, takeSeat: (agentId: string | undefined) => void, close: () => void }} `takeSeat`
 *   tells who sits here: a seat that no page has open for a while goes off queue.
 */
export function openEvents({ onChange, onLink }, path = "/desk/api/events") {
  const url = new URL(path, location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  const over = new AbortController();
  let failures = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  /** @type {WebSocket | undefined} */
  let socket;
  /** @type {string | undefined} */
  let agentId;

  function tellSeat() {
    if (agentId !== undefined && socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ type: "seat", agentId }));
  }

  function open() {
    clearTimeout(timer);
    const mine = new WebSocket(url);
    let isSynced = false;
    let isLost = false;
    socket = mine;

    const lose = () => {
      if (isLost || over.signal.aborted) return;
      isLost = true;
      clearTimeout(timer);
      mine.close();
      // Half of the wait is chance, so that many tabs do not come back in step.
      const wait = Math.min(FIRST_WAIT_MS * 2 ** failures, LONGEST_WAIT_MS) * (0.5 + Math.random() / 2);
      failures += 1;
      socket = undefined;
      timer = setTimeout(open, wait);
      onLink("lost", Date.now() + wait);
    };

    timer = setTimeout(lose, OPEN_TIMEOUT_MS);
    mine.addEventListener("close", lose, { signal: over.signal });
    mine.addEventListener("message", ({ data }) => read(data), { signal: over.signal });

    /** @param {unknown} data */
    function read(data) {
      const change = typeof data === "string" && !isLost ? parseChange(data) : undefined;
      if (!change || (!isSynced && change.type !== "snapshot")) return;
      onChange(change);
      if (isSynced) return;
      isSynced = true;
      failures = 0;
      clearTimeout(timer);
      tellSeat();
      onLink("open");
    }
  }

  /** Do not wait any longer; nothing if a socket is open or opening. */
  function retryNow() {
    if (!socket && !over.signal.aborted) open();
  }

  addEventListener("online", retryNow, { signal: over.signal });
  onLink("connecting");
  open();
  return {
    retryNow,
    takeSeat(id) {
      if (id === agentId) return;
      agentId = id;
      tellSeat();
    },
    close: () => {
      over.abort();
      clearTimeout(timer);
      socket?.close();
    },
  };
}
