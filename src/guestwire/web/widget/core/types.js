/**
 * The types that the core, the shell and the elements share. No code: importing this module does nothing.
 *
 * Events have the JSON form of `guestwire.model.events`: an absent member is left out, never null; times are epoch
 * milliseconds, durations say their unit.
 */

/**
 * @typedef {"disconnected" | "authenticating" | "creating-session" | "connecting" | "connected" | "reconnecting"
 *   | "failed"} ConnectionStatus
 * @typedef {"waiting" | "connected" | "ended"} ConversationStatus
 * @typedef {"queued" | "sent" | "accepted" | "waiting" | "delivered" | "read" | "failed" | "unconfirmed"} Fate
 * @typedef {"not-json" | "not-an-object" | "no-type" | "unknown-type" | "malformed"} UnknownReason
 */

/**
 * One item of a message's `content`, in the wire's own shape; what we can't draw is kept as it came.
 *
 * @typedef {{ contentType: string, [member: string]: unknown }} ContentItem
 */

/**
 * @typedef {object} Message
 * @property {"message"} type
 * @property {string} from "agent", "bot", "guest" or whatever the provider wrote.
 * @property {string} text "" only with content.
 * @property {number} [sentAt]
 * @property {string} [name]
 * @property {ContentItem[]} [content]
 * @property {string} [id]
 * @property {number} [seq]
 * @property {string} [clientId]
 * @property {string} [orderKey]
 * @property {boolean} [late]
 * @property {string} [avatar]
 * @property {string} [providerId] The provider's own id of it, which an answer names.
 * @property {string} [inReplyTo] The `providerId` of the message that it answers.
 */

/**
 * @typedef {object} ConversationUpdated
 * @property {"conversation-update"} type
 * @property {ConversationStatus} [status]
 * @property {string} [agentName]
 * @property {string} [agentAvatar]
 * @property {number} [position]
 * @property {number} [estimatedWait] Seconds.
 * @property {number} [expiresAt]
 * @property {boolean} [readOnly]
 * @property {string} [reason]
 * @property {string} [id]
 * @property {number} [seq]
 */

/**
 * Which files the provider takes: MIME types, also as "image/*", all when there are none; extensions with their dot.
 *
 * @typedef {{ maxBytes?: number, types: string[], blockedExtensions: string[] }} FileRules
 */

/**
 * What holds in the session, always the whole of it.
 *
 * @typedef {object} Terms
 * @property {"terms"} type
 * @property {string[]} features Of: attachments, clear, stay, markdown, typing, start-new.
 * @property {FileRules} [files]
 * @property {number} [expiresAt]
 * @property {boolean} readOnly
 * @property {{ name?: string, avatar?: string }} [bot]
 * @property {string} [colour] As "#rrggbb".
 */

/** @typedef {{ type: "typing", from: string, duration?: number }} Typing `duration` in milliseconds. */

/** @typedef {{ type: "typing-expired", from: string }} TypingExpired The clock's word that an indicator's time is over. */

/**
 * @typedef {object} Receipt
 * @property {"receipt"} type
 * @property {string} clientId
 * @property {Fate} status
 * @property {string} [id]
 * @property {number} [seq]
 * @property {number} [messageSeq]
 * @property {number} [retryAfter] Seconds.
 * @property {string} [orderKey] The message's, once it is known.
 * @property {string} [code]
 * @property {string} [text]
 */

/** @typedef {{ type: "error", code: string, text?: string, retryAfter?: number, clientId?: string }} ProviderError */

/** @typedef {{ code: string, text?: string, hint?: string, retryAfter?: number }} StatusError */

/** @typedef {{ type: "status", status: ConnectionStatus, error?: StatusError, retryIn?: number }} StatusChanged */

/** @typedef {{ type: "unknown", reason: UnknownReason, raw: string }} UnknownEvent */

/**
 * Everything that is in the session's log takes the place of what was shown of it (guest-session §6.1). What the guest
 * had not seen yet follows as ordinary events.
 *
 * @typedef {{ type: "reset", isNewSession: boolean, events: ChatEvent[] }} Reset `isNewSession`: another session than before.
 */

/**
 * @typedef {Message | ConversationUpdated | Terms | Typing | Receipt | ProviderError | StatusChanged | UnknownEvent | Reset} ChatEvent
 */

/**
 * What the guest wrote and the gateway has not accepted; `code` when it never will.
 *
 * @typedef {{ clientId: string, text: string, content?: ContentItem[], inReplyTo?: string, sentAt?: number, code?: string }} Unsent
 */

/**
 * @typedef {object} MessageRow
 * @property {"message"} kind
 * @property {string} from
 * @property {string} text
 * @property {number} [sentAt]
 * @property {string} [name]
 * @property {ContentItem[]} [content]
 * @property {string} [id]
 * @property {number} [seq]
 * @property {string} [clientId]
 * @property {Fate} [state] Only on the guest's own.
 * @property {string} [code] Why it failed.
 * @property {boolean} [late]
 * @property {string} [avatar]
 * @property {string} [providerId]
 * @property {string} [inReplyTo]
 * @property {string} [orderKey] Its place in the provider's order.
 */

/** @typedef {{ kind: "notice", notice: "joined" | "handover" | "left" | "ended" | "new", name?: string }} NoticeRow */

/** @typedef {MessageRow | NoticeRow} Row */

/**
 * @typedef {object} Transcript
 * @property {Row[]} rows
 * @property {ConversationStatus} [status]
 * @property {string} [agentName]
 * @property {string[]} typing Who is typing, in the order they began.
 * @property {string} [reason]
 */

/** @typedef {{ name?: string, email?: string, externalContactId?: string }} Guest */

/**
 * The answer to session creation.
 *
 * @typedef {object} Session
 * @property {string} sessionId
 * @property {string} token The session token, for the WebSocket only.
 * @property {string} webSocketUrl Without a query.
 * @property {number} [expiresIn] Seconds from its creation, or from when it was taken up again.
 * @property {string} [externalContactId]
 * @property {string[]} extensions What the provider understands beyond the tutorial, e.g. "typing", "end".
 */

export {};
