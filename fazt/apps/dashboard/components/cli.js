// The command that does the same, to be copied. quote(text) makes a word of a shell of any text.
import { html, useState } from "../vendor/preact.js";
import { Button } from "./form.js";

export function quote(text) {
  const word = String(text);
  return /^[A-Za-z0-9_.,:/@%+=-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

export function CopyButton({ text, label = "Copy" }) {
  const [done, setDone] = useState(false);
  const run = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setDone(true);
      setTimeout(() => setDone(false), 1600);
    } catch {
      // no clipboard here: the text can be selected by hand
    }
  };
  return html`<${Button} kind="plain" small icon=${done ? "check" : "copy"} onClick=${run} aria-label=${`${label} ${text.slice(0, 60)}`}>${done ? "Copied" : label}<//>`;
}

export function CliLine({ command }) {
  return html`<div class="cli"><code tabindex="0">${command}</code><${CopyButton} text=${command} /></div>`;
}
