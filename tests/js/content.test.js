/** What of rich content can be said in words, for screen readers. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { contentWords } from "../../src/guestwire/web/widget/core/content.js";

test("cards by their titles, quick replies by their texts, the rest by nothing", () => {
  const items = [
    { contentType: "Carousel", carousel: { cards: [{ title: "Red" }, null, { title: "" }, { title: "Blue" }] } },
    { contentType: "QuickReply", quickReply: { text: "Yes", payload: "y" } },
    { contentType: "QuickReply", quickReply: { text: "No" } },
    { contentType: "Unheard", x: 1 },
  ];
  assert.deepEqual(contentWords(items), { titles: ["Red", "Blue"], choices: ["Yes"] });
  assert.deepEqual(contentWords([{ contentType: "Unheard" }]), { titles: [], choices: [] });
});
