// What forms are made of.
//
//   Button({kind: "primary"|"danger"|"plain", small, icon, busy, onClick, type, href, children})
//   Input, TextArea, Select({options: [[value, text]]}), Check: label, hint, fault, value, onInput(text) or onChange
//   Form({onSubmit, submit, busy, fault, children}): sends by Enter or its button, and shows what was wrong
//   useAction(work) → [run, busy, fault]: runs one at a time and keeps what went wrong
import { html, useRef, useState } from "../vendor/preact.js";
import { Icon } from "./icons.js";

export function Button({ kind = "", small, icon, busy, children, href, type = "button", disabled, ...rest }) {
  const classes = ["button", kind, small ? "small" : ""].join(" ");
  const inside = html`${icon && html`<${Icon} name=${icon} />`}${children}`;
  if (href !== undefined) return html`<a class=${classes} href=${href} ...${rest}>${inside}</a>`;
  return html`<button class=${classes} type=${type} disabled=${disabled || busy} aria-busy=${busy ? "true" : undefined} ...${rest}>${inside}</button>`;
}

let numbers = 0;

export function useName(prefix = "f") {
  const name = useRef(null);
  name.current ??= `${prefix}${++numbers}`;
  return name.current;
}

export function Field({ label, hint, fault, children }) {
  const id = useName();
  const described = [hint && `${id}-hint`, fault && `${id}-fault`].filter(Boolean).join(" ") || undefined;
  return html`<div class="field">
    <label for=${id}>${label}</label>
    ${children({ id, "aria-describedby": described, "aria-invalid": fault ? "true" : undefined })}
    ${hint && html`<div class="hint" id=${`${id}-hint`}>${hint}</div>`}
    ${fault && html`<div class="fault" id=${`${id}-fault`} role="alert">${fault}</div>`}
  </div>`;
}

export function Input({ label, hint, fault, onInput, ...rest }) {
  return html`<${Field} label=${label} hint=${hint} fault=${fault}>
    ${(given) => html`<input class="input" onInput=${(event) => onInput?.(event.target.value)} ...${given} ...${rest} />`}
  <//>`;
}

export function TextArea({ label, hint, fault, onInput, ...rest }) {
  return html`<${Field} label=${label} hint=${hint} fault=${fault}>
    ${(given) => html`<textarea class="input" onInput=${(event) => onInput?.(event.target.value)} ...${given} ...${rest}></textarea>`}
  <//>`;
}

export function Select({ label, hint, fault, options, value, onChange, ...rest }) {
  return html`<${Field} label=${label} hint=${hint} fault=${fault}>
    ${(given) => html`<select class="input" value=${value} onChange=${(event) => onChange(event.target.value)} ...${given} ...${rest}>
      ${options.map(([name, text]) => html`<option value=${name} selected=${name === value}>${text}</option>`)}
    </select>`}
  <//>`;
}

export function Check({ label, checked, onChange, hint, ...rest }) {
  const id = useName();
  return html`<div class="check">
    <input type="checkbox" id=${id} checked=${checked} onChange=${(event) => onChange(event.target.checked)} ...${rest} />
    <label for=${id}>${label}${hint && html`<span class="quiet small"> ${hint}</span>`}</label>
  </div>`;
}

export function useAction(work) {
  const [busy, setBusy] = useState(false);
  const [fault, setFault] = useState(null);
  const running = useRef(false);
  const run = async (...given) => {
    if (running.current) return undefined;
    running.current = true;
    setBusy(true);
    setFault(null);
    try {
      return await work(...given);
    } catch (error) {
      if (error.name !== "AbortError") setFault(error);
      return undefined;
    } finally {
      running.current = false;
      setBusy(false);
    }
  };
  return [run, busy, fault];
}

export function Form({ onSubmit, children, submit = "Save", busy, fault, kind = "primary", more }) {
  return html`<form class="stack" onSubmit=${(event) => { event.preventDefault(); onSubmit(); }}>
    ${children}
    ${fault && html`<${Fault} error=${fault} />`}
    <div class="row"><${Button} type="submit" kind=${kind} busy=${busy}>${submit}<//>${more}</div>
  </form>`;
}

export function Fault({ error }) {
  const faults = error.details?.errors ?? [];
  return html`<div class="notice danger" role="alert"><${Icon} name="warning" /><div>${error.message ?? String(error)}
    ${faults.length > 1 && html`<ul>${faults.map((each) => html`<li class="mono">${each.file}:${each.line} ${each.message}</li>`)}</ul>`}
  </div></div>`;
}
