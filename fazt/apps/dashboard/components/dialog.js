// Dialog({title, onClose, wide, children}): a modal <dialog>; Escape closes it, the focus returns to where it was.
// ConfirmByName({title, name, children, action, command, onConfirm, onClose}): for what cannot be undone.
import { html, useLayoutEffect, useRef, useState } from "../vendor/preact.js";
import { CliLine } from "./cli.js";
import { Button, Fault, Input, useAction, useName } from "./form.js";

export function Dialog({ title, onClose, wide, children }) {
  const dialog = useRef(null);
  const id = useName("d");
  // Before anything is painted: the next key belongs to the dialog.
  useLayoutEffect(() => {
    const before = document.activeElement;
    dialog.current.showModal();
    return () => before?.focus?.();
  }, []);
  return html`<dialog class=${`dialog ${wide ? "wide" : ""}`} ref=${dialog} aria-labelledby=${id}
    onCancel=${(event) => { event.preventDefault(); onClose(); }}
    onMouseDown=${(event) => { if (event.target === dialog.current) onClose(); }}>
    <div class="body"><div class="row spread"><h2 id=${id}>${title}</h2><${Button} kind="plain" small icon="close" onClick=${onClose} aria-label="Close" /></div>
    ${children}</div>
  </dialog>`;
}

export function ConfirmByName({ title, name, children, action, command, onConfirm, onClose }) {
  const [typed, setTyped] = useState("");
  const [run, busy, fault] = useAction(async () => { await onConfirm(); onClose(); });
  return html`<${Dialog} title=${title} onClose=${onClose}>
    <form class="stack" onSubmit=${(event) => { event.preventDefault(); if (typed === name) run(); }}>
      <div>${children}</div>
      <${Input} label=${html`Type <b class="mono">${name}</b> to confirm`} value=${typed} onInput=${setTyped} autocomplete="off" spellcheck=${false} />
      ${fault && html`<${Fault} error=${fault} />`}
      ${command && html`<${CliLine} command=${command} />`}
      <footer><${Button} onClick=${onClose}>Cancel<//><${Button} type="submit" kind="danger primary" busy=${busy} disabled=${typed !== name}>${action}<//></footer>
    </form>
  <//>`;
}
