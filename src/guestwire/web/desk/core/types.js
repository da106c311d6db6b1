/**
 * The values of the desk API and of the page's own state. Types only.
 *
 * Times are epoch milliseconds. An absent member is absent, never null.
 *
 * @typedef {{ id: string, name: string, avatar?: string, onQueue: boolean, isDemo: boolean, active: number }} Agent
 *
 * @typedef {object} Guest
 * @property {string} [name]
 * @property {string} [email]
 * @property {string} [externalContactId]
 * @property {Record<string, string>} [attributes] Custom attributes, as the guest's page told them.
 * @property {string} [signedInAs] The user's id at the site.
 *
 * @typedef {{ type: string, text: string, url?: string, payload?: string }} CardAction
 * @typedef {{ title: string, description?: string, image?: string, actions?: CardAction[] }} Card
 * @typedef {{ text: string, payload?: string, image?: string }} QuickReply
 * @typedef {{ type?: string, text: string, payload?: string, originatingMessageId?: string }} ButtonResponse
 * @typedef {{ id?: string, title?: string, subtitle?: string, imageUrl?: string, dateDisplayFormat?: string,
 *   availableTimes?: { dateTime: string, duration: number }[] }} DatePicker
 * @typedef {{ title?: string, subtitle?: string }} WordsAround
 * @typedef {{ id: string, title: string, subtitle?: string, imageUrl?: string }} ListItem
 * @typedef {{ title: string, multipleSelection?: boolean, items: ListItem[] }} ListSection
 * @typedef {{ id?: string, sections: ListSection[], receivedMessage?: WordsAround, replyMessage?: WordsAround }} ListPicker
 * @typedef {{ formComponentType: string, input?: { id: string, title?: string, isRequired?: boolean, isMultipleLine?: boolean,
 *   placeholderText?: string }, datePicker?: DatePicker, listPicker?: ListPicker,
 *   wheelPicker?: { id?: string, items: ListItem[] } }} FormComponent
 * @typedef {{ title?: string, subtitle?: string, pageComponents?: FormComponent[] }} FormPage
 * @typedef {{ id: string, component: ContentItem }} FormAnswer
 * @typedef {{ introduction?: { title?: string, subtitle?: string, buttonText?: string }, formPages?: FormPage[],
 *   replyMessage?: WordsAround, response?: FormAnswer[], originatingMessageId?: string }} Form
 * @typedef {{ id?: string, mediaType?: string, url?: string, filename?: string, fileSize?: number, mime?: string,
 *   text?: string }} Attachment
 * @typedef {object} ContentItem One piece of rich content, in the wire's own shape; unknown content types are kept.
 * @property {string} contentType
 * @property {QuickReply} [quickReply]
 * @property {{ title: string, actions: QuickReply[] }} [quickReplyV2]
 * @property {Card} [card]
 * @property {{ cards: Card[] }} [carousel]
 * @property {ButtonResponse} [buttonResponse]
 * @property {DatePicker} [datePicker]
 * @property {ListPicker} [listPicker]
 * @property {Form} [form]
 * @property {Attachment} [attachment]
 * @property {{ body: string }} [text]
 *
 * @typedef {"guest" | "bot" | "agent" | "system"} Sender
 * @typedef {object} Entry
 * @property {string} id
 * @property {Sender} from
 * @property {string} [name]
 * @property {string} text
 * @property {number} at
 * @property {ContentItem[]} [content]
 * @property {string} [inReplyTo] Id of the entry that this one answers.
 * @property {string} [avatar] Of the sender, as the guest sees it.
 * @property {boolean} [authenticated] Said by a guest who had signed in.
 *
 * @typedef {"bot" | "queue" | "agent" | "ended"} Stage
 * @typedef {object} ConversationFacts A conversation without its entries: what a `conversation` change carries.
 * @property {string} id
 * @property {string} sessionId
 * @property {"waiting" | "connected" | "ended"} status
 * @property {Stage} stage
 * @property {Guest} guest
 * @property {string} [agentId]
 * @property {string} [agentName]
 * @property {number} startedAt
 * @property {number} [queuedAt] When the guest joined the queue; `startedAt` stands in where the server does not say.
 * @property {number} [endedAt]
 * @property {string} [endReason]
 * @property {number} connections Open guest sockets.
 * @property {"guest-session" | "web-messaging"} [protocol] How the guest speaks with the org.
 * @property {string} [deploymentId] Through which deployment.
 * @typedef {ConversationFacts & { entries: readonly Entry[] }} Conversation
 *
 * @typedef {string | number | boolean} ParamValue
 * @typedef {object} Fault
 * @property {string} name
 * @property {string} title
 * @property {string} help
 * @property {string} [group] What it belongs to, for people.
 * @property {"switch" | "capability" | "action"} kind A capability is switched, too, but is no fault.
 * @property {boolean} [on]
 * @property {Record<string, ParamValue>} [params]
 *
 * @typedef {{ name: string, title: string, text: string, content: ContentItem[] }} Template
 * @typedef {{ published: boolean }} Flow
 *
 * @typedef {Record<string, unknown> & { id: string, name: string, markdown: boolean }} Deployment Its switches, of which
 *   `deployment-fields.js` has the table.
 *
 * @typedef {{ type: "snapshot", agents: Agent[], conversations: Conversation[], faults: Fault[], flow: Flow,
 *   deployments?: Deployment[], queue: { name: string } }} Snapshot
 * @typedef {Snapshot
 *   | { type: "agents", agents: Agent[] }
 *   | { type: "conversation", conversation: ConversationFacts }
 *   | { type: "entry", conversationId: string, entry: Entry }
 *   | { type: "typing", conversationId: string, from: Sender }
 *   | { type: "deployments", deployments: Deployment[] }
 *   | { type: "faults", faults: Fault[], flow?: Flow }} Change
 *
 * @typedef {object} Desk What the server says: the fold of one snapshot and the changes after it.
 * @property {boolean} synced Whether a snapshot has come since the page was opened.
 * @property {readonly Agent[]} agents
 * @property {ReadonlyMap<string, Conversation>} conversations By id, in order of arrival.
 * @property {readonly Fault[]} faults
 * @property {readonly Deployment[]} deployments
 * @property {Flow} flow
 * @property {{ name: string }} queue
 * @property {ReadonlyMap<string, Readonly<Partial<Record<Sender, number>>>>} typing When each participant was last
 *   heard typing, by conversation. Transient: no snapshot carries it.
 *
 * @typedef {"connecting" | "open" | "lost"} LinkStatus
 * @typedef {object} Upload A file in the composer.
 * @property {string} id
 * @property {string} name
 * @property {string} mime
 * @property {number} size Bytes.
 * @property {number} sent Bytes that have arrived.
 * @property {string} [fileId] Once the emulator has it.
 * @property {Problem} [problem] Once it was refused.
 *
 * @typedef {object} PendingMessage
 * @property {string} id
 * @property {string} text
 * @property {number} at
 * @property {boolean} [asBot] In the bot's name.
 * @property {ContentItem[]} [content]
 * @property {readonly Upload[]} [uploads] Go back to the composer when the message is refused, and so does its text.
 * @typedef {{ code: string, message?: string }} Problem
 * @typedef {"list" | "conversation" | "side"} Pane
 * @typedef {"guest" | "deployment" | "faults"} SideName
 *
 * @typedef {object} Work What only this tab knows: who sits here, what is open, what is half written.
 * @property {string} [meId]
 * @property {string} [myName]
 * @property {string} [selected] Id of the open conversation.
 * @property {Pane} pane The pane in front where the window has no room for all three.
 * @property {SideName} side
 * @property {string} filter
 * @property {ReadonlyMap<string, string>} drafts
 * @property {ReadonlyMap<string, string>} seen Id of the last entry read, by conversation.
 * @property {ReadonlyMap<string, readonly PendingMessage[]>} pending Sent, not yet answered by the server.
 * @property {{ status: LinkStatus, retryAt?: number }} link
 * @property {Problem} [problem] The last refusal, until it is dismissed or something else succeeds.
 * @property {readonly Template[]} templates
 * @property {ReadonlyMap<string, readonly Upload[]>} uploads By conversation.
 * @property {boolean} asBot Whether this tab's messages go in the bot's name.
 *
 * @typedef {{ desk: Desk, work: Work }} State
 *
 * @typedef {{ type: "change", change: Change, now: number }
 *   | { type: "link", status: LinkStatus, retryAt?: number }
 *   | { type: "signed-in", agent: Agent }
 *   | { type: "signed-out" }
 *   | { type: "selected", conversationId: string }
 *   | { type: "pane", pane: Pane, side?: SideName }
 *   | { type: "filtered", filter: string }
 *   | { type: "drafted", conversationId: string, text: string }
 *   | { type: "read", conversationId: string }
 *   | { type: "sending", conversationId: string, message: PendingMessage }
 *   | { type: "sent", conversationId: string, pendingId: string, entry: Entry, now: number }
 *   | { type: "refused", conversationId: string, pendingId: string, problem: Problem }
 *   | { type: "problem", problem: Problem }
 *   | { type: "dismissed" }
 *   | { type: "said", conversationId: string, entry: Entry }
 *   | { type: "voice", asBot: boolean }
 *   | { type: "upload-added", conversationId: string, upload: Upload }
 *   | { type: "upload-changed", conversationId: string, uploadId: string, change: Partial<Upload> }
 *   | { type: "upload-gone", conversationId: string, uploadId: string }
 *   | { type: "templates", templates: Template[] }
 *   | { type: "restored", drafts: [string, string][], seen: [string, string][] }} Input
 */

export {};
