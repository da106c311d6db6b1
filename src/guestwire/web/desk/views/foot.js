/**
 * The foot of a conversation: the composer, or what else can be done there.
 *
 * @import { Conversation } from "../core/types.js"
 * @import { FootMode } from "../core/selectors.js"
 * @import { Words } from "../locales/en.js"
 * @import { Model } from "./parts.js"
 */

import { footMode, isOnline, me, selected, waiting } from "../core/selectors.js";
import { createComposer } from "./composer.js";
import { enable, h, onPress, setText, show } from "./dom.js";
import { button, guestName } from "./parts.js";

/**
 * @param {Words} words
 * @param {Parameters<typeof createComposer>[1] & { onAccept: (id: string) => void, onAcceptNext: () => void }} intents
 */
export function createFoot(words, intents) {
  /** @type {string | undefined} */
  let shownId;
  /** @type {FootMode} */
  let mode = "none";

  const composer = createComposer(words, intents);
  const lead = h("p", { class: "foot-lead" });
  const accept = button("", "loud");
  const next = button(words.foot.nextWaiting, "loud");
  const toList = button(words.foot.backToList, "normal");
  const other = h("div", { class: "foot-other", hidden: true }, lead, h("div", { class: "foot-buttons" }, accept, next, toList));
  const element = h("footer", { class: "foot" }, composer.element, other);

  onPress(accept, () => {
    if (shownId !== undefined) intents.onAccept(shownId);
  });
  onPress(next, intents.onAcceptNext);
  onPress(toList, intents.onToList);

  /** Focus what can be done here. @returns {boolean} Whether there was something. */
  function focus() {
    if (mode === "write") {
      composer.focus();
      return true;
    }
    const target = [accept, next, toList].find((one) => !one.hidden && one.checkVisibility());
    target?.focus();
    return target !== undefined;
  }

  return {
    element,
    focus,
    toggleTemplates: () => {
      if (mode === "write") composer.toggleTray();
    },
    /** @param {readonly File[]} files @returns {boolean} Whether they can be taken here. */
    takeFiles: (files) => mode === "write" && composer.takeFiles(files),
    canTakeFiles: () => mode === "write" && composer.canTakeFiles(),
    /** @param {Model} model */
    update(model) {
      const conversation = selected(model.state);
      shownId = conversation?.id;
      mode = footMode(model.state);
      composer.update(model, mode === "write" ? conversation : undefined);
      show(other, mode !== "write" && mode !== "none");
      if (mode !== "write" && conversation) drawOther(model, conversation);
    },
  };

  /** @param {Model} model @param {Conversation} conversation */
  function drawOther({ state }, conversation) {
    const online = isOnline(state);
    const name = guestName(conversation.guest, words);
    const isAcceptable = mode === "accept" || mode === "take-over";
    const agentName = conversation.agentName ?? words.from.agent;
    const acceptWords = mode === "take-over" ? words.foot.takeOver : words.foot.accept;
    const hasNext = mode === "ended" && waiting(state.desk).length > 0;
    show(accept, isAcceptable);
    setText(/** @type {Node} */ (accept.lastChild), me(state)?.onQueue ? acceptWords : words.foot.goOnQueueAndAccept);
    enable(accept, online);
    show(next, hasNext);
    enable(next, online);
    show(toList, mode === "ended" && !hasNext);
    const by = conversation.endReason === "agent" || conversation.endReason === "guest" ? conversation.endReason : "other";
    const leads = {
      accept: words.foot.acceptLead(name),
      "watch-bot": words.foot.watchBot,
      "watch-agent": words.foot.watchAgent(agentName),
      "take-over": words.foot.takeOverLead(agentName),
      ended: words.foot.endedBy[by],
    };
    setText(lead, mode === "write" || mode === "none" ? "" : leads[mode]);
  }
}
