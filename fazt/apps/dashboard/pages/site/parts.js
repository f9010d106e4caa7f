// What the tabs of a site share: who may do what, its addresses, and small pieces of their pages.

import { put, whoIsHere } from "../../api.js";
import { CliLine } from "../../components/cli.js";
import { ago, momentOf } from "../../format.js";
import { html } from "../../vendor/preact.js";

const ROLES = { viewer: [], editor: ["deploy"], admin: ["deploy", "admin"], owner: ["deploy", "admin"] };

// Whether whoever is signed in may "deploy" to or "admin" this site. The server decides; this only spares them a refusal.
export function may(action) {
  return (ROLES[whoIsHere()?.user?.role] ?? ["deploy", "admin"]).includes(action);
}

export const encode = encodeURIComponent;
export const at = (site, ...parts) => `/sites/${[site, ...parts].map(encode).join("/")}`;
export const filePath = (path) => path.split("/").map(encode).join("/");

// What an Undo does: makes the version before `made` live again, unless somebody has gone on from there.
export function takeBack(site, made, before, reload) {
  return async () => {
    try {
      await put(at(site, "live"), { version: before }, { headers: { "If-Match": `"${made}"` } });
    } catch (error) {
      if (error.status !== 412) throw error;
      throw new Error("Somebody has made another version live meanwhile. Choose among the versions.");
    }
    await reload();
  };
}

export function When({ time }) {
  return html`<time datetime=${time} title=${momentOf(time)} class="nowrap">${ago(time)}</time>`;
}

// The commands that do what a page does, folded away until somebody wants them.
export function Commands({ lines }) {
  return html`<details class="commands"><summary class="quiet small">On the command line</summary>
    <div class="stack tight">${lines.map((line) => html`<${CliLine} key=${line} command=${line} />`)}</div>
  </details>`;
}

// Links that look like one control: [[value, text]] and the address of each.
export function Segments({ label, options, value, hrefOf }) {
  return html`<nav class="segments" aria-label=${label}>${options.map(([name, text]) => html`
    <a key=${name} href=${hrefOf(name)} aria-current=${name === value ? "page" : undefined}>${text}</a>`)}</nav>`;
}

// Buttons that look like one control.
export function Choice({ label, options, value, onChange }) {
  return html`<div class="segments" role="group" aria-label=${label}>${options.map(([name, text]) => html`
    <button key=${name} type="button" aria-pressed=${name === value ? "true" : "false"} onClick=${() => onChange(name)}>${text}</button>`)}</div>`;
}
