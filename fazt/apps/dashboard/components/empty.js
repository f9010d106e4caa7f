// An empty list that teaches: what this is for, how to begin, and the command that does the same.
import { html } from "../vendor/preact.js";
import { CliLine } from "./cli.js";
import { Icon } from "./icons.js";

export function EmptyState({ icon = "info", title, children, command, action }) {
  return html`<div class="empty"><${Icon} name=${icon} /><h2>${title}</h2><p>${children}</p>${action}
    ${command && html`<${CliLine} command=${command} />`}</div>`;
}
