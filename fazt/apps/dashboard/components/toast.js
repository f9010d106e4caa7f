// toast(message, {undo, kind}): says what was done, and takes it back where `undo` is given. Toasts() shows them.
import { html, useEffect, useState } from "../vendor/preact.js";
import { Button } from "./form.js";

const SHOWN_MS = 7000;
let shown = [];
let tell = () => {};
let numbers = 0;

export function toast(message, { undo, kind = "" } = {}) {
  const number = ++numbers;
  shown = [...shown.slice(-3), { number, message, undo, kind }];
  tell(shown);
  setTimeout(() => drop(number), SHOWN_MS);
}

export function toastError(error) {
  toast(error.message ?? String(error), { kind: "danger" });
}

function drop(number) {
  shown = shown.filter((each) => each.number !== number);
  tell(shown);
}

export function Toasts() {
  const [items, setItems] = useState(shown);
  useEffect(() => {
    tell = setItems;
    return () => { tell = () => {}; };
  }, []);
  const undo = async (item) => {
    drop(item.number);
    try {
      await item.undo();
      toast("Undone.");
    } catch (error) {
      toastError(error);
    }
  };
  return html`<div class="toasts" role="status" aria-live="polite">${items.map((item) => html`<div key=${item.number} class=${`toast ${item.kind}`}>
    <span class="grow">${item.message}</span>
    ${item.undo && html`<${Button} small onClick=${() => undo(item)}>Undo<//>`}
    <${Button} small kind="plain" icon="close" aria-label="Dismiss" onClick=${() => drop(item.number)} />
  </div>`)}</div>`;
}
