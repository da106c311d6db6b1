/** The one script that a page embeds: defines `<guest-chat>`. */

export { GuestChatElement } from "./widget/define.js";
