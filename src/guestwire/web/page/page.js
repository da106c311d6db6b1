/**
 * The full chat page: takes who the guest is, the theme and the language from the address, for demonstrations. Runs
 * before guest-chat.js, so the element starts with them. Values only ever become attributes.
 */

const query = new URLSearchParams(location.search);
const chat = document.querySelector("guest-chat");

/** Parameter → attribute of the chat. */
const GUEST = { name: "name", email: "email", externalContactId: "external-contact-id" };

for (const [parameter, attribute] of Object.entries(GUEST)) {
  const value = query.get(parameter);
  if (value) chat?.setAttribute(attribute, value);
}

const theme = query.get("theme");
if (theme === "light" || theme === "dark") {
  chat?.setAttribute("theme", theme);
  document.documentElement.dataset.theme = theme;
}

const dir = query.get("dir");
if (dir === "rtl" || dir === "ltr") document.documentElement.dir = dir;

const lang = query.get("lang");
if (lang) document.documentElement.lang = lang;
