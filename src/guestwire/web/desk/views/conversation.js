/**
 * The middle pane: the open conversation's head, transcript and foot.
 *
 * @import { Conversation } from "../core/types.js"
 * @import { Words } from "../locales/en.js"
 * @import { Model } from "./parts.js"
 */

import { isOnline, queuedAt, sectionOf, selected } from "../core/selectors.js";
import { enable, h, onPress, setText, show } from "./dom.js";
import { createFoot } from "./foot.js";
import { icon } from "./icons.js";
import { avatar, button, guestName, iconButton, updateAvatar } from "./parts.js";
import { createTranscript } from "./transcript.js";

/**
 * @param {Words} words
 * @param {Parameters<typeof createFoot>[1] & Parameters<typeof createTranscript>[1] & { onTransfer: () => void,
 *   onEnd: () => void, onDetails: () => void }} intents
 */
export function createConversation(words, intents) {
  const back = iconButton("back", words.conversation.back, "flip only-narrow");
  const face = avatar();
  const name = h("bdi");
  const status = h("p", { class: "head-status" });
  const transfer = button(words.conversation.transfer, "normal", "transfer");
  const end = button(words.conversation.end, "danger", "end");
  const details = iconButton("person", words.conversation.details, "hide-wide");
  const head = h("header", { class: "head" }, back, face, h("div", { class: "head-words" }, h("h2", { class: "head-name" }, name), status), h("div", { class: "head-tools" }, transfer, end, details));
  const transcript = createTranscript(words, intents);
  const foot = createFoot(words, intents);
  const drop = h("div", { class: "drop", "aria-hidden": "true", hidden: true }, icon("attach"), h("p", {}, words.attachment.drop));
  const empty = h("div", { class: "empty" }, icon("wire", "empty-mark"), h("p", { class: "empty-title" }, words.conversation.none), h("p", { class: "quiet" }, words.conversation.noneHint));
  const element = h("section", { id: "conversation", class: "pane conversation-pane", tabindex: -1, "aria-label": words.conversation.label }, empty, head, transcript.element, foot.element, drop);

  onPress(back, intents.onToList);
  onPress(transfer, intents.onTransfer);
  onPress(end, intents.onEnd);
  onPress(details, intents.onDetails);

  element.addEventListener("dragover", (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    // Elsewhere the browser would leave the page for the file.
    event.preventDefault();
    event.dataTransfer.dropEffect = foot.canTakeFiles() ? "copy" : "none";
    show(drop, foot.canTakeFiles());
  });
  element.addEventListener("dragleave", (event) => {
    if (!(event.relatedTarget instanceof Node) || !element.contains(event.relatedTarget)) show(drop, false);
  });
  element.addEventListener("drop", (event) => {
    event.preventDefault();
    show(drop, false);
    foot.takeFiles([...(event.dataTransfer?.files ?? [])]);
  });

  /** Focus what can be done here: the field, a button, or the transcript to read. */
  function focus() {
    if (!foot.focus()) (head.hidden ? element : transcript).focus();
  }

  return {
    element,
    focus,
    toggleTemplates: foot.toggleTemplates,
    isAtEnd: transcript.isAtEnd,
    /** @param {Model} model */
    update(model) {
      const { state } = model;
      const conversation = selected(state);
      const focused = document.activeElement;
      const hadFocus = head.contains(focused) || foot.element.contains(focused);
      const isOpen = conversation !== undefined;
      show(empty, !isOpen);
      show(head, isOpen);
      show(transcript.element, isOpen);
      if (conversation) {
        const isMine = sectionOf(conversation, state.work.meId) === "mine";
        updateAvatar(face, conversation, words);
        setText(name, guestName(conversation.guest, words));
        setText(status, statusWords(model, conversation));
        for (const tool of [transfer, end]) {
          show(tool, isMine);
          enable(tool, isOnline(state));
        }
        transcript.update(model, conversation);
      }
      foot.update(model);
      // What had the focus may just have gone: hand it to what took its place.
      if (hadFocus && !document.activeElement?.checkVisibility()) focus();
    },
  };
}

/** @param {Model} model @param {Conversation} conversation */
function statusWords({ state, now, words, format }, conversation) {
  const { status } = words.conversation;
  const parts = [
    {
      waiting: () => status.waiting(format.span(now - queuedAt(conversation))),
      mine: () => status.mine,
      others: () => status.others(conversation.agentName ?? words.from.agent),
      bot: () => status.bot,
      ended: () => (conversation.endedAt === undefined ? status.endedPlain : status.ended(format.time(conversation.endedAt))),
    }[sectionOf(conversation, state.work.meId)](),
  ];
  if (conversation.stage !== "ended") parts.push(conversation.connections > 0 ? words.guest.online : words.guest.offline);
  return parts.join(" · ");
}
