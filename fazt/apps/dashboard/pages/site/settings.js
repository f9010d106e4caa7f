// A site itself: its name, its lock, what its fazt.json says, and its end.

import { del, patch } from "../../api.js";
import { CliLine, quote } from "../../components/cli.js";
import { ConfirmByName } from "../../components/dialog.js";
import { Button, Fault, Input, useAction } from "../../components/form.js";
import { useLoad } from "../../components/load.js";
import { Badge, Card, Skeleton } from "../../components/table.js";
import { toast } from "../../components/toast.js";
import { momentOf, plural } from "../../format.js";
import { go, to } from "../../router.js";
import { html, useState } from "../../vendor/preact.js";
import { liveText } from "./file_editor.js";
import { at, may } from "./parts.js";

export default function Settings({ site, reload }) {
  return html`<div class="stack">
    <${Card} title="About"><dl class="facts"><dt>Address</dt><dd>${site.url}</dd><dt>Made</dt><dd>${momentOf(site.created_at)}</dd><dt>Versions</dt><dd>${site.versions}</dd></dl><//>
    <${Manifest} site=${site} />
    ${may("admin") && html`<${Rename} site=${site} /><${Lock} site=${site} reload=${reload} /><${Remove} site=${site} />`}
  </div>`;
}

const SHOWN = [["spa", "Single page", "off"], ["clean_urls", "Clean URLs", "on"], ["trailing_slash", "Slash at the end", "keep"], ["title", "Title", "none"]];
const say = (value) => (value === true ? "on" : value === false ? "off" : typeof value === "string" ? value : JSON.stringify(value));

function Manifest({ site }) {
  const found = useLoad(() => liveText(site, "fazt.json"), [site.live_version]);
  const values = parsed(found.data?.text);
  return html`<${Card} title="From fazt.json" actions=${html`<${Button} small href=${to("sites", site.name, "rules", "manifest")}>Edit fazt.json<//>`}>
    ${found.error ? html`<${Fault} error=${found.error} />` : !found.data ? html`<div class="manifest-wait"><${Skeleton} size="figure" /></div>` : html`<dl class="facts manifest-facts">${SHOWN.map(([key, text, otherwise]) => html`
      <dt key=${key}>${text} <span class="mono small">${key}</span></dt><dd>${values[key] === undefined ? html`${otherwise} <${Badge}>default<//>` : say(values[key])}</dd>`)}</dl>`}
  <//>`;
}

function parsed(text) {
  try {
    const value = JSON.parse(text ?? "{}");
    return value && typeof value === "object" ? value : {};
  } catch {
    return {};
  }
}

function Rename({ site }) {
  const [name, setName] = useState(site.name);
  const [run, busy, fault] = useAction(async () => {
    const before = site.name;
    const wanted = name.trim().toLowerCase();
    await patch(at(before), { name: wanted });
    go("sites", wanted, "settings");
    toast(`${before} is called ${wanted} now.`, { undo: async () => { await patch(at(wanted), { name: before }); go("sites", before, "settings"); } });
  });
  return html`<${Card} title="Name">
    <form class="stack" onSubmit=${(event) => { event.preventDefault(); if (name !== site.name) run(); }}>
      <${Input} label="Name" hint="It is part of the address: the old one is answered with 404 from then on." value=${name} onInput=${setName} autocomplete="off" spellcheck=${false} maxlength="63" disabled=${site.locked} />
      ${fault && html`<${Fault} error=${fault} />`}
      <div class="row"><${Button} type="submit" busy=${busy} disabled=${site.locked || !name || name === site.name}>Rename<//></div>
      <${CliLine} command=${`fazt sites rename ${quote(site.name)} ${quote(name && name !== site.name ? name : "NEW-NAME")}`} />
    </form>
  <//>`;
}

function Lock({ site, reload }) {
  const set = async (locked) => { await patch(at(site.name), { locked }); await reload(); };
  const [run, busy, fault] = useAction(async () => {
    await set(!site.locked);
    toast(site.locked ? "The site can be changed again." : "The site is locked.", { undo: () => set(site.locked) });
  });
  return html`<${Card} title="Lock">
    <div class="stack">
      <p class="quiet">${site.locked ? "Locked: deploys, rollbacks, renaming and removal are refused until it is unlocked." : "A locked site refuses every change: deploys, rollbacks, renaming and removal, whoever asks."}</p>
      ${fault && html`<${Fault} error=${fault} />`}
      <div class="row"><${Button} icon="lock" busy=${busy} onClick=${run}>${site.locked ? "Unlock" : "Lock"}<//></div>
      <${CliLine} command=${`fazt sites ${site.locked ? "unlock" : "lock"} ${quote(site.name)}`} />
    </div>
  <//>`;
}

function Remove({ site }) {
  const [asking, setAsking] = useState(false);
  return html`<${Card} title="Remove the site">
    <div class="stack">
      <p class="quiet">Deletes the site with ${plural(site.versions, "version")}, its domains, variables, secrets and what its functions keep. There is no way back; <a href=${`/api${at(site.name, "versions", "live", "export")}`} download=${`${site.name}.tar`}>download its files</a> first.</p>
      <div class="row"><${Button} kind="danger" icon="trash" disabled=${site.locked} onClick=${() => setAsking(true)}>Remove ${site.name}…<//></div>
    </div>
    ${asking && html`<${ConfirmByName} title=${`Remove ${site.name}`} name=${site.name} action="Remove it for good" command=${`fazt sites remove ${quote(site.name)}`}
      onConfirm=${async () => { await del(at(site.name)); toast(`${site.name} is removed.`); go("sites"); }} onClose=${() => setAsking(false)}>
      ${site.url} will answer 404, and nothing of it is kept.<//>`}
  <//>`;
}
