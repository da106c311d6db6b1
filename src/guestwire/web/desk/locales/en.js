/**
 * Every word that the desk page shows or says, in English.
 *
 * @import { Fault } from "../core/types.js"
 */

import { attachment, content, editor } from "./en-content.js";
import { actions, deployment } from "./en-deployment.js";

const plural = new Intl.PluralRules("en");

/** @param {number} count @param {string} one @param {string} other */
const counted = (count, one, other) => `${count} ${plural.select(count) === "one" ? one : other}`;

/** @typedef {typeof en} Words */

export const en = {
  language: "en",
  product: "Guestwire",
  title: "Agent desk",
  /** @param {number} count */
  titleWaiting: (count) => `(${count}) Agent desk`,
  skip: "Skip to the conversation",

  signIn: {
    heading: "Who is at the desk?",
    lead: "Each tab can be another agent. Write a name, or take a seat that exists.",
    name: "Your name, as guests see it",
    submit: "Take a seat",
    existing: "Seats that exist",
    onQueue: "on queue",
    offQueue: "off queue",
    connecting: "Connecting to the emulator…",
    nameMissing: "Write a name first. Guests see it when you join.",
  },

  bar: {
    label: "Desk",
    onQueue: "On queue",
    faults: "Faults",
    /** @param {number} count */
    faultsOn: (count) => counted(count, "fault on", "faults on"),
    help: "Keyboard shortcuts",
    leave: "Leave the desk",
    /** @param {string} name */
    seat: (name) => `You are ${name}: change your picture`,
  },

  link: {
    label: "Connection",
    lost: "The connection to the emulator is lost. You can go on writing; nothing is sent until it is back.",
    /** @param {string} seconds */
    retryIn: (seconds) => `Next try in ${seconds} s.`,
    retrying: "Trying now…",
    retryNow: "Try now",
    back: "Connected again.",
  },

  list: {
    label: "Conversations",
    find: "Find a guest",
    findHint: "Name, e-mail or contact id",
    offQueue: "You are off queue: new guests go to others, or to the demo agent.",
    goOnQueue: "Go on queue",
    accept: "Accept",
    /** @param {string} name */
    acceptGuest: (name) => `Accept ${name}`,
    sections: {
      waiting: "Waiting",
      mine: "Yours",
      others: "With colleagues",
      bot: "With the bot",
      ended: "Ended",
    },
    nothingFound: "No guest matches. Clear the field to see everybody.",
    empty: "No conversations yet",
    emptyHint: "Open the chat page in another window and write something. The guest appears here.",
    noneWaiting: "Nobody is waiting.",
    /** @param {number} count */
    unread: (count) => counted(count, "unread message", "unread messages"),
    /** @param {number} count */
    showAll: (count) => `Show ${count} more`,
  },

  guest: {
    unnamed: "Unnamed guest",
    online: "Connected",
    offline: "Not connected",
    signedInMark: "Said while signed in",
    /** @param {string} id */
    signedInAs: (id) => `Signed in as ${id}`,
    /** @param {number} count */
    tabs: (count) => counted(count, "open connection", "open connections"),
  },

  from: {
    guest: "Guest",
    bot: "Bot",
    agent: "Agent",
    system: "System",
    you: "You",
  },

  conversation: {
    label: "Conversation",
    back: "Back to the list",
    details: "Guest details",
    transfer: "Transfer",
    end: "End",
    none: "No conversation is open",
    noneHint: "Choose one in the list, or accept the guest who waits longest.",
    transcript: "Transcript",
    sending: "Sending…",
    /** @param {number} count */
    newMessages: (count) => counted(count, "new message", "new messages"),
    toEnd: "Go to the newest message",
    typing: {
      /** @param {string} name */
      guest: (name) => `${name} is typing`,
      bot: "The bot is typing",
      agent: "An agent is typing",
    },
    status: {
      /** @param {string} span */
      waiting: (span) => `Waiting for an agent · ${span}`,
      mine: "With you",
      /** @param {string} name */
      others: (name) => `With ${name}`,
      bot: "With the bot",
      /** @param {string} time */
      ended: (time) => `Ended at ${time}`,
      endedPlain: "Ended",
    },
  },

  foot: {
    accept: "Accept",
    goOnQueueAndAccept: "Go on queue and accept",
    takeOver: "Take over",
    /** @param {string} name */
    takeOverLead: (name) => `${name} has left the desk. Nobody is answering this guest.`,
    /** @param {string} name */
    acceptLead: (name) => `${name} is waiting for an agent.`,
    watchBot: "The bot is talking with this guest. You can read along; the guest comes to the queue when the bot hands over.",
    /** @param {string} name */
    watchAgent: (name) => `${name} is talking with this guest. You can read along.`,
    endedBy: {
      agent: "The conversation was ended at the desk.",
      guest: "The guest ended the conversation.",
      other: "The conversation has ended.",
    },
    nextWaiting: "Accept the next guest",
    backToList: "Back to the list",
  },

  composer: {
    label: "Message to the guest",
    placeholder: "Write a message",
    hint: "Enter sends, Shift+Enter breaks the line",
    send: "Send",
    offline: "Not connected: your text is kept here and can be sent when the connection is back.",
    templates: "Rich content and replies",
    attach: "Attach files",
    noFiles: "This guest came by guest-session, which has no files.",
    uploading: "Wait until the files are there, or take them out.",
    voice: "Send as",
    asBot: "The bot",
    templatesNone: "The emulator offers no templates.",
    /** @param {string} title */
    sendTemplate: (title) => `Send “${title}”`,
  },

  content,
  attachment,
  editor,
  deployment,
  actions,

  side: {
    label: "Guest, deployment and faults",
    guest: "Guest",
    deployment: "Deployment",
    attributes: "Custom attributes",
    protocol: "Protocol",
    protocols: { "guest-session": "Guest sessions", "web-messaging": "Web Messaging" },
    faults: "Faults",
    close: "Close",
    none: "Open a conversation to see its guest.",
    name: "Name",
    email: "E-mail",
    externalContactId: "External contact id",
    connection: "Connection",
    started: "Started",
    ended: "Ended",
    length: "Length",
    agent: "Agent",
    conversationId: "Conversation id",
    sessionId: "Session id",
    notGiven: "Not given",
    /** @param {string} what */
    copy: (what) => `Copy ${what}`,
    copied: "Copied",
    visits: "Other conversations of this guest",
  },

  faults: {
    lead: "Make the emulator misbehave on purpose, and see what your chat does.",
    find: "Find a fault",
    notFound: "No fault matches. Clear the field to see them all.",
    others: "Others",
    fire: "Do it now",
    /** @param {string} title */
    fireLabel: (title) => `${title}: do it now`,
    /** @param {string} time */
    fired: (time) => `Done at ${time}.`,
    none: "The emulator offers no faults.",
    clear: "Turn all faults off",
    reset: "Reset the emulator",
    resetLead: "Forgets every conversation, agent and fault.",
    active: "On",
    /** @param {readonly Fault[]} faults */
    mark: (faults) => `The emulator misbehaves on purpose: ${faults.map((one) => one.title).join(", ")}.`,
    show: "Show the faults",
    unpublished: "The flow is unpublished: guests reach neither the bot nor an agent.",
  },

  units: /** @type {Record<string, string>} */ ({ ms: "milliseconds", s: "seconds", bytes: "bytes" }),

  dialog: {
    cancel: "Cancel",
    close: "Close",
    /** @param {string} name */
    endTitle: (name) => `End the conversation with ${name}?`,
    endText: "The guest is told that it has ended and cannot write any more. It cannot be opened again.",
    endConfirm: "End the conversation",
    /** @param {string} name */
    transferTitle: (name) => `Transfer ${name}`,
    transferText: "Who goes on with this guest?",
    toBot: "The bot",
    toQueue: "The queue: whoever is free",
    onQueue: "on queue",
    offQueue: "off queue",
    pictureTitle: "How guests see you",
    pictureText: "Guests see your name, and this picture where the deployment shows names and pictures. Left empty, one is drawn.",
    pictureLabel: "Address of your picture",
    pictureConfirm: "Keep",
    leaveTitle: "Leave the desk?",
    /** @param {number} count */
    leaveText: (count) =>
      count === 0
        ? "Your seat is removed from the desk."
        : `You have ${counted(count, "open conversation", "open conversations")}. Your seat is removed from the desk, and nobody answers there until somebody else does.`,
    leaveConfirm: "Leave",
    resetTitle: "Reset the emulator?",
    resetText: "Every conversation, agent and fault is forgotten, and guests are disconnected. You keep your seat.",
    resetConfirm: "Reset",
    shortcutsTitle: "Keyboard shortcuts",
    shortcuts: {
      "accept-next": "Accept the guest who waits longest",
      next: "Next conversation",
      previous: "Previous conversation",
      write: "Write a message",
      templates: "Open rich content and replies",
      transfer: "Transfer the conversation",
      deployment: "Open the deployment",
      end: "End the conversation",
      queue: "Go on or off queue",
      list: "Go to the list of conversations",
      faults: "Open the faults",
      find: "Find a guest (outside text fields)",
      help: "Show this (outside text fields)",
    },
    listKeys: "In the list: arrows, Home and End move, Enter opens. In a message: Enter sends, Shift+Enter breaks the line, Escape goes back to the list.",
  },

  news: {
    /** @param {string} name @param {number} count */
    waiting: (name, count) => `${name} is waiting. ${counted(count, "guest", "guests")} in the queue.`,
    /** @param {string} name @param {string} text */
    message: (name, text) => `${name}: ${text}`,
    /** @param {string} name @param {string} text */
    messageElsewhere: (name, text) => `New message in another conversation. ${name}: ${text}`,
    /** @param {string} name */
    ended: (name) => `The conversation with ${name} has ended.`,
    /** @param {string} name */
    accepted: (name) => `You have joined ${name}.`,
    onQueue: "You are on queue.",
    offQueue: "You are off queue.",
    nobodyWaiting: "Nobody is waiting.",
    transferred: "Transferred.",
    befallen: { expire: "The guest's session has expired.", "sign-in-elsewhere": "The guest signed in elsewhere." },
    faultsCleared: "All faults are off.",
    wasReset: "The emulator was reset.",
  },

  problem: {
    label: "Refusal",
    dismiss: "Dismiss",
    byCode: /** @type {Record<string, string>} */ ({
      "not-found": "The emulator no longer knows this. It may have been reset: choose another conversation in the list.",
      "not-your-conversation": "This conversation is with somebody else. You can read it; choose one of yours to write.",
      "already-taken": "A colleague was faster. Accept the next guest in the list.",
      ended: "The conversation has ended meanwhile. Your text is kept; accept another guest to go on.",
      "off-queue": "You are off queue. Go on queue, then accept again.",
      "with-bot": "The bot still has this guest. Wait until it hands over.",
      "no-agents": "The fault “No agents” is on, so nobody can accept. Turn it off under Faults.",
      "too-large": "The file is too large: choose one of at most 25 MB.",
      "name-taken": "That name belongs to the demo agent. Write another one.",
      unreachable: "The emulator did not answer. Check that it is running, then try again.",
    }),
    /** @param {string} message */
    badRequest: (message) => `${message} Change it and try again.`,
    /** @param {string} message */
    other: (message) => `That did not work: ${message} Try again; if it stays so, look at the emulator's output.`,
  },
};
