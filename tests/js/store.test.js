/** The UI's state: what a person is told, when, and how often. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { answerableFrom, areOneGroup, composerMode, remedyOf, shownRows } from "../../src/guestwire/web/widget/core/shown.js";
import { INITIAL_STATE } from "../../src/guestwire/web/widget/core/state.js";
import { reduce } from "../../src/guestwire/web/widget/core/store.js";
import { bannerOf, CALM_MS, shownStatus } from "../../src/guestwire/web/widget/core/trouble.js";
import { nextDeadline, STUCK_AFTER_MS, TYPING_MS, UNATTENDED_AFTER_MS } from "../../src/guestwire/web/widget/core/waits.js";

/** @import { UiEvent, UiState } from "../../src/guestwire/web/widget/core/state.js" */

/**
 * @param {UiEvent[]} events
 * @param {UiState} [state]
 * @param {number} [now]
 */
function after(events, state = INITIAL_STATE, now = 0) {
  return events.reduce((current, event) => reduce(current, event, now), state);
}

/** @type {UiEvent} */
const CONNECTED = { type: "status", status: "connected" };
/** @type {UiEvent} */
const WAITING = { type: "conversation-update", status: "waiting" };
/** @type {UiEvent} */
const JOINED = { type: "conversation-update", status: "connected", agentName: "Ada" };
/** @type {UiEvent} */
const ENDED = { type: "conversation-update", status: "ended" };
/** @type {UiEvent} */
const LOST = { type: "status", status: "reconnecting", error: { code: "connection-lost" }, retryIn: 4 };
/** @type {UiEvent} */
const TIME_PASSED = { type: "time-passed" };
/** @type {(text: string, from?: string) => UiEvent} */
const said = (text, from = "agent") => ({ type: "message", from, text });

describe("composer", () => {
  test("off before the first connection, on from then until the end, also while reconnecting", () => {
    assert.equal(composerMode(INITIAL_STATE), "off");
    assert.equal(composerMode(after([{ type: "status", status: "connecting" }])), "off");
    assert.equal(composerMode(after([CONNECTED])), "on");
    assert.equal(composerMode(after([CONNECTED, LOST])), "on");
    assert.equal(composerMode(after([CONNECTED, ENDED])), "ended");
  });

  test("a new chat begins with it off again, and keeps what was said without its ids", () => {
    const state = after([CONNECTED, { type: "message", from: "agent", text: "x", id: "m1" }, ENDED, { type: "restarted" }]);
    assert.equal(composerMode(state), "off");
    assert.deepEqual(state.transcript.rows[0], { kind: "message", from: "agent", text: "x" });
    assert.deepEqual(state.transcript.rows.at(-1), { kind: "notice", notice: "new" });
    assert.equal(after([{ type: "message", from: "agent", text: "y", id: "m1" }], state).transcript.rows.length, 4);
    assert.equal(after([{ type: "restarted" }], state).transcript.rows.length, 3, "nothing said, nothing to divide");
  });

  test("off from the guest's end until it is confirmed or has failed", () => {
    const ending = after([CONNECTED, LOST, { type: "ending" }]);
    assert.deepEqual([ending.isEnding, composerMode(ending)], [true, "off"]);
    assert.equal(composerMode(after([CONNECTED], ending)), "off");
    const ended = after([ENDED], ending);
    assert.deepEqual([ended.isEnding, composerMode(ended)], [false, "ended"]);
    assert.equal(after([{ type: "status", status: "failed", error: { code: "internal" } }], ending).isEnding, false);
    assert.equal(after([{ type: "status", status: "disconnected" }], ending).isEnding, false);
    assert.equal(after([{ type: "ending" }]).isEnding, false, "nothing to end");
  });
});

describe("banner", () => {
  test("a short outage shows none, a longer one offers to try now and counts down", () => {
    const state = after([CONNECTED, LOST]);
    assert.equal(bannerOf(state, 0), undefined);
    assert.equal(nextDeadline(state, 0), CALM_MS);
    assert.deepEqual(bannerOf(state, CALM_MS), {
      level: "warning",
      code: "connection-lost",
      text: undefined,
      waitS: 3,
      action: "try-now",
    });
    assert.equal(nextDeadline(state, CALM_MS), 2000);
    assert.equal(bannerOf(state, 1500)?.waitS, 3);
    assert.equal(bannerOf(after([CONNECTED], state), 9000), undefined);
  });

  test("it stays through the attempts of one outage", () => {
    const state = after([CONNECTED, LOST, { type: "status", status: "connecting" }]);
    assert.equal(bannerOf(state, CALM_MS)?.code, "connection-lost");
    assert.equal(bannerOf(state, CALM_MS)?.waitS, undefined);
  });

  test("offline is said as offline", () => {
    const state = after([CONNECTED, LOST, { type: "network", isOnline: false }]);
    assert.equal(bannerOf(state, CALM_MS)?.code, "offline");
  });

  test("offline although the socket counts as open, until something comes through or the network is back", () => {
    const state = after([CONNECTED, { type: "network", isOnline: false }]);
    assert.equal(bannerOf(state, 0), undefined);
    assert.equal(bannerOf(after([said("me", "guest")], state), CALM_MS)?.code, "offline");
    assert.equal(bannerOf(after([said("Hi")], state), CALM_MS), undefined);
    assert.equal(bannerOf(after([{ type: "network", isOnline: true }], state), CALM_MS), undefined);
  });

  test("before the first connection nothing is called lost", () => {
    const state = after([{ type: "status", status: "connecting" }, LOST]);
    assert.equal(bannerOf(state, CALM_MS)?.code, "not-connected");
  });

  test("what only the owner can mend has no button", () => {
    const state = after([{ type: "status", status: "failed", error: { code: "bad-request" } }]);
    assert.deepEqual(bannerOf(state, 0), { level: "danger", code: "bad-request", text: undefined });
  });

  test("no wait is longer than an hour", () => {
    for (const retryAfter of [1e300, Infinity]) {
      const state = after([CONNECTED, { type: "error", code: "rate-limited", retryAfter }]);
      assert.equal(bannerOf(state, 0)?.waitS, 3600);
      assert.equal(nextDeadline(state, 0), 1000);
    }
    assert.equal(bannerOf(after([CONNECTED, { type: "error", code: "x", retryAfter: NaN }]), 0)?.waitS, undefined);
  });

  test("a failure shows at once, and is gone when the guest tries again", () => {
    const state = after([{ type: "status", status: "failed", error: { code: "upstream-auth-failed" } }]);
    assert.equal(bannerOf(state, 0)?.action, "try-again");
    assert.equal(bannerOf(after([{ type: "status", status: "authenticating" }], state), 9000), undefined);
  });

  test("a refusal waits to be dismissed, until its time is over, or until the guest writes again", () => {
    const state = after([CONNECTED, { type: "error", code: "rate-limited", retryAfter: 5 }]);
    assert.deepEqual(bannerOf(state, 0), { level: "warning", code: "rate-limited", text: undefined, waitS: 5, action: "dismiss" });
    assert.equal(bannerOf(after([{ type: "dismissed" }], state), 0), undefined);
    assert.equal(bannerOf(after([TIME_PASSED], state, 5000), 5000), undefined);
    assert.equal(bannerOf(after([said("x", "guest")], state), 0), undefined);
  });

  test("a connection that was given up offers to try again, an ended chat does not", () => {
    const gone = after([CONNECTED, { type: "status", status: "disconnected" }]);
    assert.equal(bannerOf(gone, 0)?.action, "try-again");
    assert.equal(bannerOf(after([ENDED], gone), 0), undefined);
    assert.equal(bannerOf(INITIAL_STATE, 0), undefined);
    const early = after([{ type: "status", status: "authenticating" }, { type: "status", status: "disconnected" }]);
    assert.equal(bannerOf(early, 0)?.action, "try-again", "ended before the first connection");
  });
});

describe("waiting without an agent", () => {
  test("is said after thirty seconds, once, and goes when somebody joins", () => {
    const state = after([CONNECTED, WAITING]);
    assert.equal(nextDeadline(state, 0), UNATTENDED_AFTER_MS);
    assert.equal(after([TIME_PASSED], state, UNATTENDED_AFTER_MS - 1).isUnattended, false);
    const late = after([TIME_PASSED, TIME_PASSED], state, UNATTENDED_AFTER_MS);
    assert.equal(late.isUnattended, true);
    assert.equal(late.announcements.filter(({ what }) => what === "no-agent").length, 1);
    assert.equal(after([JOINED], late).isUnattended, false);
  });

  test("the bot's word begins the wait anew, the guest's does not", () => {
    const state = after([said("?", "guest")], after([said("Hi", "bot")], after([WAITING]), 20_000), 40_000);
    assert.equal(nextDeadline(state, 40_000), 20_000 + UNATTENDED_AFTER_MS);
  });

  test("a provider that gives the reason is believed at once", () => {
    const state = after([{ type: "conversation-update", status: "waiting", reason: "no-agents" }]);
    assert.equal(state.isUnattended, true);
  });
});

describe("typing", () => {
  test("hides after its time, and after five seconds without one", () => {
    const state = after([{ type: "typing", from: "agent" }, { type: "typing", from: "bot", duration: 1000 }]);
    assert.equal(nextDeadline(state, 0), 1000);
    assert.deepEqual(after([TIME_PASSED], state, 1000).transcript.typing, ["agent"]);
    assert.deepEqual(after([TIME_PASSED], state, TYPING_MS).transcript.typing, []);
  });

  test("a second one prolongs the first", () => {
    const state = after([{ type: "typing", from: "agent" }], after([{ type: "typing", from: "agent" }]), 3000);
    assert.deepEqual(after([TIME_PASSED], state, TYPING_MS).transcript.typing, ["agent"]);
  });
});

describe("unread", () => {
  test("counts others' messages while the reader is further up, and none at the end", () => {
    const up = after([said("1"), { type: "scrolled", isAtEnd: false }, said("2"), said("3", "bot"), { type: "receipt", clientId: "x", status: "read" }]);
    assert.equal(up.unread, 2);
    assert.equal(after([{ type: "scrolled", isAtEnd: true }], up).unread, 0);
    assert.deepEqual([after([said("me", "guest")], up).unread, after([said("me", "guest")], up).isAtEnd], [0, true]);
  });
});

describe("announcements", () => {
  test("each once, in order; the guest's own words and the first status stages are not said", () => {
    const events = [{ type: "status", status: "connecting" }, CONNECTED, WAITING, said("Hi", "bot"), said("me", "guest"), JOINED, JOINED, said("Hello"), ENDED, ENDED];
    const { announcements } = after(/** @type {UiEvent[]} */ (events));
    assert.deepEqual(announcements.map(({ what }) => what), ["connected", "said", "handover", "said", "ended"]);
  });

  test("an outage is said once however many attempts it takes, and so is its end", () => {
    const lost = after([TIME_PASSED, { type: "status", status: "connecting" }, LOST], after([CONNECTED, LOST]), CALM_MS);
    const { announcements } = after([CONNECTED], lost, CALM_MS);
    assert.deepEqual(announcements.map(({ what, code }) => code ?? what), ["connected", "connection-lost", "connected"]);
  });

  test("a short outage is not said", () => {
    const { announcements } = after([CONNECTED, LOST, { type: "status", status: "connecting" }, CONNECTED]);
    assert.deepEqual(announcements.map(({ what }) => what), ["connected"]);
  });

  test("what the banner shows is said when it changes", () => {
    const lost = after([TIME_PASSED], after([CONNECTED, LOST]), CALM_MS);
    const { announcements } = after([{ type: "network", isOnline: false }, TIME_PASSED], lost, CALM_MS);
    assert.deepEqual(announcements.map(({ what, code }) => code ?? what), ["connected", "connection-lost", "offline"]);
  });

  test("a failure is said again when trying again fails again", () => {
    const failed = /** @type {UiEvent} */ ({ type: "status", status: "failed", error: { code: "internal" } });
    const { announcements } = after([failed, { type: "status", status: "authenticating" }, failed, { type: "status", status: "authenticating" }, CONNECTED]);
    assert.deepEqual(announcements.map(({ what }) => what), ["error", "error", "connected"]);
  });

  test("a message that was not sent is said with its text", () => {
    const { announcements } = after([{ type: "message", from: "guest", text: "me", clientId: "c" }, { type: "receipt", clientId: "c", status: "failed" }]);
    assert.deepEqual(announcements, [{ what: "failed", text: "me" }]);
  });

  test("none is lost, however many come at once, and what has been said is gone", () => {
    const state = after(Array.from({ length: 50 }, (_, n) => said(String(n))));
    assert.equal(state.announcements.length, 50);
    assert.deepEqual(after([{ type: "announced" }], state).announcements, []);
  });
});

test("choices can be taken until the guest has said something after them", () => {
  const state = after([CONNECTED, said("Pick one", "bot")]);
  assert.equal(answerableFrom(state), 0);
  assert.equal(answerableFrom(after([said("this", "guest")], state)), 2);
  assert.equal(answerableFrom(after([ENDED], state)), Infinity);
  assert.equal(answerableFrom(after([ENDED, { type: "restarted" }, CONNECTED], state)), 3, "not in the next conversation");
});

test("neighbours are one group within a minute, by the same sender", () => {
  const row = { kind: /** @type {const} */ ("message"), from: "agent", text: "x", sentAt: 60_000 };
  assert.ok(areOneGroup(row, { ...row, sentAt: 119_999 }));
  assert.ok(!areOneGroup(row, { ...row, sentAt: 120_000 }));
  assert.ok(!areOneGroup(row, { ...row, from: "bot" }));
  assert.ok(!areOneGroup(row, { ...row, name: "Bo" }));
});

test("an event that changes nothing returns the same state", () => {
  const state = after([CONNECTED, { type: "announced" }]);
  for (const event of /** @type {UiEvent[]} */ ([{ type: "scrolled", isAtEnd: true }, { type: "network", isOnline: true }, { type: "dismissed" }, { type: "announced" }])) {
    assert.equal(reduce(state, event, 0), state);
  }
});

describe("relay mode", () => {
  /** @type {UiEvent} */
  const SESSION = { type: "session", extensions: ["end", "hello"] };
  const RELAY = after([SESSION, CONNECTED]);
  /** @type {(text: string, clientId: string, seq?: number) => Extract<UiEvent, { type: "message" }>} */
  const own = (text, clientId, seq) => ({ type: "message", from: "guest", text, clientId, ...(seq && { seq }) });
  /** @type {(text: string, seq: number) => Extract<UiEvent, { type: "message" }>} */
  const logged = (text, seq) => ({ type: "message", from: "agent", text, seq });
  /** @param {UiState} state */
  const texts = (state) => shownRows(state).map(({ row }) => (row.kind === "message" ? row.text : row.notice));

  test("what is on its way stands last, and then where the log has it", () => {
    const waiting = after([logged("a", 1), own("mine", "c1"), logged("b", 2)], RELAY);
    assert.deepEqual(texts(waiting), ["a", "b", "mine"]);
    const accepted = after([{ type: "receipt", clientId: "c1", status: "accepted", messageSeq: 3 }], waiting);
    assert.deepEqual(texts(accepted), ["a", "b", "mine"]);
    const done = after([own("mine", "c1", 3), logged("c", 4), { type: "receipt", clientId: "c1", status: "delivered", seq: 5 }], accepted);
    assert.deepEqual(texts(done), ["a", "b", "mine", "c"]);
    assert.deepEqual(shownRows(done).map(({ key }) => key), ["0", "1", "c1", "3"]);
    assert.equal(done.transcript.rows[2].kind === "message" && done.transcript.rows[2].state, "delivered");
  });

  test("what another tab sent does not take the reader to the end", () => {
    const up = after([logged("a", 1), { type: "scrolled", isAtEnd: false }, own("there", "c9", 2)], RELAY);
    assert.equal(up.isAtEnd, false);
    assert.equal(after([own("here", "c1")], up).isAtEnd, true);
  });

  test("a reset puts the log in the place of what was shown, and says nothing", () => {
    const before = after([logged("a", 1), { type: "scrolled", isAtEnd: false }, logged("b", 2), own("mine", "c1")], RELAY);
    const state = after([{ type: "reset", isNewSession: false, events: [logged("a", 1), logged("b", 2), logged("c", 3)] }], before);
    assert.deepEqual(texts(state), ["a", "b", "c"]);
    assert.deepEqual(state.announcements, before.announcements);
    assert.equal(state.unread, before.unread);
    assert.deepEqual(texts(after([own("mine", "c1")], state)), ["a", "b", "c", "mine"]);
  });

  test("another session's log stands below what was said before, also after its own reset", () => {
    const before = after([logged("a", 1), own("mine", "c1")], RELAY);
    const state = after([{ type: "reset", isNewSession: true, events: [] }, logged("b", 1), own("mine", "c1")], before);
    assert.deepEqual(texts(state), ["a", "new", "b", "mine"]);
    const again = after([{ type: "reset", isNewSession: false, events: [logged("b", 1), own("mine", "c1", 2)] }], state);
    assert.deepEqual(texts(again), ["a", "new", "b", "mine"]);
  });

  test("a new chat keeps what failed in the one before, without anything to do about it", () => {
    const state = after([own("lost", "c1"), { type: "receipt", clientId: "c1", status: "failed", code: "conversation-ended" }, ENDED, { type: "restarted" }, SESSION, CONNECTED, { type: "reset", isNewSession: false, events: [] }], RELAY);
    assert.deepEqual(texts(state), ["ended", "lost", "new"]);
    const [, { row }] = shownRows(state);
    assert.equal(row.kind === "message" && remedyOf(state, row), undefined);
  });

  test("failed and unconfirmed can be remedied while the chat is on; then they are not shown any more", () => {
    for (const status of /** @type {const} */ (["failed", "unconfirmed"])) {
      const state = after([own("x", "c1", 1), { type: "receipt", clientId: "c1", status, seq: 2 }], RELAY);
      const row = /** @type {import("../../src/guestwire/web/widget/core/types.js").MessageRow} */ (state.transcript.rows[0]);
      assert.equal(remedyOf(state, row), status);
      assert.equal(remedyOf(after([ENDED], state), row), undefined);
      assert.deepEqual(texts(after([{ type: "replaced", clientIds: ["c1"] }], state)), []);
    }
    const fine = after([own("x", "c1", 1)], RELAY);
    assert.equal(remedyOf(fine, /** @type {any} */ (fine.transcript.rows[0])), undefined);
  });

  test("a message that waits counts down", () => {
    const state = after([own("x", "c1", 1), { type: "receipt", clientId: "c1", status: "waiting", seq: 2, retryAfter: 3 }], RELAY);
    assert.equal(state.waitingUntil.c1, 3000);
    assert.equal(nextDeadline(state, 0), 1000);
    assert.equal(nextDeadline(state, 3000), undefined);
  });

  test("a message that the gateway keeps and can't pass on gets a word after a while, and only then", () => {
    const kept = after([own("x", "c1", 1), { type: "receipt", clientId: "c1", status: "accepted", messageSeq: 1 }], RELAY);
    assert.equal(nextDeadline(kept, 0), STUCK_AFTER_MS);
    const stuck = reduce(kept, { type: "time-passed" }, STUCK_AFTER_MS);
    assert.equal(stuck.isStuck, true);
    assert.deepEqual(stuck.announcements.at(-1), { what: "stuck" });
    const done = after([{ type: "receipt", clientId: "c1", status: "delivered", seq: 2 }], stuck);
    assert.deepEqual([done.isStuck, done.undelivered], [false, undefined]);
  });

  test("a message that waits for a known time is not stuck, nor is one behind it", () => {
    const state = after(
      [
        own("x", "c1", 1),
        own("y", "c2", 2),
        { type: "receipt", clientId: "c1", status: "waiting", seq: 3, retryAfter: 60 },
        { type: "receipt", clientId: "c2", status: "accepted", messageSeq: 2 },
      ],
      RELAY,
    );
    assert.equal(state.undelivered, undefined);
  });

  test("messages stand in the provider's order where it is known, the same for every order of arrival", () => {
    /** @type {(text: string, seq: number, orderKey: string) => Extract<UiEvent, { type: "message" }>} */
    const placed = (text, seq, orderKey) => ({ ...logged(text, seq), orderKey });
    const rest = [placed("b", 2, "2"), own("mine", "c1", 3), placed("d", 4, "4")];
    const waiting = after([placed("a", 1, "1"), ...rest, placed("c", 5, "3")], RELAY);
    assert.deepEqual(texts(waiting), ["a", "b", "c", "d", "mine"]);
    const told = after([{ type: "receipt", clientId: "c1", status: "delivered", seq: 6, messageSeq: 3, orderKey: "25" }], waiting);
    assert.deepEqual(texts(told), ["a", "b", "mine", "c", "d"]);
    const untold = after([{ type: "receipt", clientId: "c1", status: "delivered", seq: 6, messageSeq: 3 }], waiting);
    assert.deepEqual(texts(untold), ["a", "b", "mine", "c", "d"]);
    assert.deepEqual(texts(after([placed("a", 1, "1"), placed("d", 2, "4"), placed("e", 3, "4")], RELAY)), ["a", "d", "e"]);
    const keys = shownRows(after([placed("b", 1, "2"), placed("a", 2, "1")], RELAY)).map(({ key }) => key);
    assert.deepEqual(keys, ["1", "0"]);
  });

  test("what comes late is said to be late, and is not counted as new below", () => {
    const up = after([logged("a", 1), { type: "scrolled", isAtEnd: false }], RELAY);
    const state = after([{ ...logged("b", 2), orderKey: "0", late: true }], up);
    assert.equal(state.unread, 0);
    assert.equal(state.announcements.at(-1)?.what, "late");
  });

  test("a planned move shows only when it takes longer than was asked for", () => {
    const state = after([{ type: "status", status: "reconnecting", error: { code: "moved" }, retryIn: 4 }], RELAY);
    assert.equal(shownStatus(state, 4_999), "connected");
    assert.equal(bannerOf(state, 4_999), undefined);
    assert.equal(shownStatus(after([{ type: "status", status: "connecting" }], state), 4_999), "connected");
    assert.equal(shownStatus(state, 5_000), "reconnecting");
    assert.equal(bannerOf(state, 5_000)?.code, "moved");
    assert.equal(nextDeadline(state, 4_500), 5_000);
  });

  test("in one tab too many the chat rests until the guest wants it there", () => {
    const state = after([{ type: "status", status: "failed", error: { code: "too-many-tabs" } }], RELAY);
    assert.deepEqual(bannerOf(state, 0), { level: "warning", code: "too-many-tabs", action: "use-here" });
  });

  test("a new conversation in the same session stands below the old one, whose choices stay dead", () => {
    const state = after([logged("Pick", 1), { ...ENDED, seq: 2 }, { type: "conversation-update", status: "waiting", seq: 3 }, logged("b", 4)], RELAY);
    assert.deepEqual(texts(state), ["Pick", "ended", "new", "b"]);
    assert.equal(composerMode(state), "on");
    assert.equal(answerableFrom(state), 3);
    assert.deepEqual(state.announcements.map(({ what }) => what).slice(-3), ["ended", "new", "said"]);
    const again = after([{ type: "reset", isNewSession: false, events: [logged("Pick", 1)] }], state);
    assert.deepEqual(texts(again), ["Pick"]);
  });

  test("choices are taken as soon as an answer is on its way", () => {
    const state = after([logged("Pick", 1)], RELAY);
    assert.equal(answerableFrom(state), 0);
    assert.equal(answerableFrom(after([own("this", "c1")], state)), 2);
  });
});
