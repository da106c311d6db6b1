/** The words of rich content, in English: as it is shown, and as it is made. */

export const content = {
  quickReplies: "Quick replies offered to the guest",
  carousel: "Cards to leaf through",
  datePicker: "Date picker",
  listPicker: "List picker",
  form: "Form",
  components: /** @type {Record<string, string>} */ ({ Input: "Text", DatePicker: "Date", ListPicker: "List", WheelPicker: "One of several" }),
  one: "choose one",
  several: "choose any",
  needed: "Required",
  chosen: "Chosen:",
  payload: "What was sent for it",
  leftOut: "Left out",
  question: "An earlier message",
  showQuestion: "Show what this answers",
  answered: "Answered",
  noImage: "Image",
  /** @param {string} kind */
  unknown: (kind) => `Content of the kind “${kind}”, which is not drawn here`,
};

export const attachment = {
  unnamed: "File without a name",
  /** @param {string} name */
  download: (name) => `Download ${name}`,
  /** @param {string} name */
  picture: (name) => `Picture ${name}`,
  list: "Files to send",
  /** @param {string} name */
  remove: (name) => `Take out ${name}`,
  /** @param {string} name */
  progress: (name) => `Upload of ${name}`,
  /** @param {string} name */
  ready: (name) => `${name} is ready to be sent.`,
  /** @param {string} name */
  failed: (name) => `${name} could not be uploaded.`,
  drop: "Drop files here to attach them",
};

export const editor = {
  make: "Make one",
  ready: "Ready-made",
  kinds: {
    "quick-replies": "Quick replies",
    card: "Card",
    carousel: "Carousel",
    "date-picker": "Date picker",
    "list-picker": "List picker",
    form: "Form",
    json: "JSON",
  },
  textOnly: "Text",
  text: "Message",
  textHelp: "Above the content. Pages that cannot draw the content show this alone.",
  look: "As the guest sees it",
  json: "Content items, as JSON",
  asJson: "Edit as JSON",
  send: "Send",
  edit: "Edit",
  /** @param {string} title */
  editTemplate: (title) => `Edit “${title}” before it is sent`,
  /** @param {string} name */
  voice: (name) => `Sent as ${name}`,
  /** @param {string} what */
  add: (what) => `Add ${what}`,
  /** @param {string} what @param {number} number */
  entry: (what, number) => `${what.charAt(0).toUpperCase()}${what.slice(1)} ${number}`,
  /** @param {string} name */
  up: (name) => `Move ${name} up`,
  /** @param {string} name */
  down: (name) => `Move ${name} down`,
  /** @param {string} name */
  remove: (name) => `Remove ${name}`,
  complaints: {
    required: "Write something here.",
    address: "Write an address that begins with https:// or http://.",
    moment: "Choose a day and a time.",
    minutes: "Write a number of minutes, at least one.",
  },
  /** @param {number} count */
  incomplete: (count) => (count === 1 ? "One field needs another look." : `${count} fields need another look.`),
  notJson: "This is no content: write one object with a contentType, or a list of them.",
  notThisKind: "The form cannot show all of this. Send it as JSON, or change it back.",
  fields: /** @type {Record<string, string>} */ ({
    actions: "Buttons",
    availableTimes: "Times",
    buttonText: "Button to begin",
    cannedResponseId: "Id of the canned response",
    cards: "Cards",
    dateDisplayFormat: "Order of the date",
    dateTime: "Begins",
    description: "Description",
    duration: "Minutes",
    formComponentType: "Kind of question",
    formPages: "Pages",
    id: "Id (made from the title)",
    image: "Picture (address)",
    imageUrl: "Picture (address)",
    introduction: "Introduction",
    isMultipleLine: "Several lines",
    isRequired: "Required",
    items: "Choices",
    keyboardType: "Keyboard",
    multipleSelection: "Several may be chosen",
    pageComponents: "Questions",
    payload: "What is sent back",
    placeholderText: "Hint in the field",
    receivedMessage: "Before the answer",
    replies: "Replies",
    replyMessage: "After the answer",
    sections: "Sections",
    showSummary: "Show the answers before sending",
    subtitle: "Second line",
    text: "Words",
    title: "Title",
    type: "Does what",
    url: "Page (address)",
  }),
  single: /** @type {Record<string, string>} */ ({
    actions: "button",
    availableTimes: "time",
    cards: "card",
    formPages: "page",
    items: "choice",
    pageComponents: "question",
    replies: "reply",
    sections: "section",
  }),
  options: /** @type {Record<string, string>} */ ({
    Postback: "Answers",
    Link: "Opens a page",
    Input: "Text",
    DatePicker: "Date",
    ListPicker: "List",
    WheelPicker: "One of several",
    Default: "Any",
    Email: "E-mail",
    NumberPunctuation: "Numbers and signs",
    Websearch: "Web search",
    dayMonthYear: "Day, month, year",
    monthDayYear: "Month, day, year",
    yearMonthDay: "Year, month, day",
  }),
};
