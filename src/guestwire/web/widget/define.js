/**
 * Registers the elements, children before parents, and sends for their style sheets. The only module that does something
 * when it is imported.
 */

import { ChatBannerElement } from "./elements/chat-banner.js";
import { ChatComposerElement } from "./elements/chat-composer.js";
import { ChatHeaderElement } from "./elements/chat-header.js";
import { ChatTranscriptElement } from "./elements/chat-transcript.js";
import { GuestChatElement } from "./elements/guest-chat.js";
import { loadStyles } from "./elements/styles.js";

void loadStyles();

ChatHeaderElement.define();
ChatTranscriptElement.define();
ChatBannerElement.define();
ChatComposerElement.define();
GuestChatElement.define();

export { GuestChatElement };
