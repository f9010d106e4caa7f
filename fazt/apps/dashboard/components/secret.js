// SecretOnce({title, secret, children, onClose}): a secret that is shown this once, to be copied.
import { html } from "../vendor/preact.js";
import { CopyButton } from "./cli.js";
import { Dialog } from "./dialog.js";
import { Button } from "./form.js";

export function SecretOnce({ title, secret, children, onClose }) {
  return html`<${Dialog} title=${title} onClose=${onClose}>
    <div class="stack">
      <div>${children}</div>
      <div class="cli value"><code tabindex="0">${secret}</code><${CopyButton} text=${secret} /></div>
      <div class="notice warning" role="note"><div>It is not shown again. Who has it can sign what is believed here.</div></div>
      <footer><${Button} kind="primary" onClick=${onClose}>I have copied it<//></footer>
    </div>
  <//>`;
}
