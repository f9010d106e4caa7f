// NewSite({onClose}): makes an empty site; its page then takes files.
import { post } from "../api.js";
import { go } from "../router.js";
import { html, useState } from "../vendor/preact.js";
import { CliLine, quote } from "./cli.js";
import { Dialog } from "./dialog.js";
import { Form, Input, useAction } from "./form.js";

export function NewSite({ onClose }) {
  const [name, setName] = useState("");
  const [run, busy, fault] = useAction(async () => {
    await post("/sites", { name });
    onClose();
    go("sites", name);
  });
  return html`<${Dialog} title="New site" onClose=${onClose}>
    <${Form} submit="Create" busy=${busy} fault=${fault} onSubmit=${run}>
      <${Input} label="Name" value=${name} onInput=${setName} required autofocus autocomplete="off" spellcheck=${false} pattern="[a-z0-9]([a-z0-9\\-]*[a-z0-9])?"
        hint="Lower-case letters, digits and dashes: it becomes part of the address." />
    <//>
    <${CliLine} command=${`fazt sites create ${quote(name || "NAME")}`} />
  <//>`;
}
