// All versions of a site: which is live, what came with each, and the way back.

import { get, post, put } from "../../api.js";
import { CliLine, quote } from "../../components/cli.js";
import { Dialog } from "../../components/dialog.js";
import { EmptyState } from "../../components/empty.js";
import { Button, Fault, Input, Select, useAction } from "../../components/form.js";
import { LoadFault, useLoad } from "../../components/load.js";
import { Badge, Card, Skeleton, Table } from "../../components/table.js";
import { toast, toastError } from "../../components/toast.js";
import { bytes, count, plural, safeUrl, shortId } from "../../format.js";
import { to } from "../../router.js";
import { html, useEffect, useRef, useState } from "../../vendor/preact.js";
import { at, Commands, may, takeBack, When } from "./parts.js";

const PAGE = 50;

export default function Versions({ site, reload, changes }) {
  const list = useVersions(site.name, changes);
  const [shown, setShown] = useState(null);
  const again = () => Promise.all([reload(), list.reload()]);
  const goLive = async (version) => {
    const before = site.live_version;
    await put(at(site.name, "live"), { version: version.id });
    await again();
    toast(`${shortId(version.id)} is live.`, { undo: before && takeBack(site.name, version.id, before, again) });
  };
  const close = () => setShown(null);
  return html`<div class="stack">
    <${Card} title="Versions" flush actions=${may("deploy") && html`<${Button} small icon="trash" disabled=${site.locked} onClick=${() => setShown({ what: "prune" })}>Prune…<//>`}>
      ${list.error && html`<div class="padded"><${LoadFault} error=${list.error} reload=${list.reload} /></div>`}
      ${!list.error && html`<${Table} label="All versions" columns=${columns(site, { goLive, compare: (version) => setShown({ what: "diff", version }) })}
        items=${list.items} keyOf=${(version) => version.id} empty=${html`<${NoVersion} site=${site} />`} />`}
      ${list.next && html`<div class="padded"><${Button} onClick=${list.more}>Older versions<//></div>`}
    <//>
    <${Commands} lines=${[`fazt versions list ${quote(site.name)}`, `fazt rollback ${quote(site.name)}`]} />
    ${shown?.what === "diff" && html`<${Difference} site=${site} version=${shown.version} versions=${list.items} onClose=${close} />`}
    ${shown?.what === "prune" && html`<${Prune} site=${site} onDone=${again} onClose=${close} />`}
  </div>`;
}

// The newest page of versions, and older ones behind it as they are asked for.
function useVersions(name, changes) {
  const [state, setState] = useState({ items: null, next: null, error: null });
  const turn = useRef(0);
  const read = async (before, after) => {
    const mine = ++turn.current;
    try {
      const page = await get(at(name, "versions"), { limit: PAGE, after });
      if (mine === turn.current) setState({ items: [...before, ...page.items], next: page.next, error: null });
    } catch (error) {
      if (mine === turn.current) setState((old) => ({ ...old, error }));
    }
  };
  const reload = () => read([], null);
  useEffect(() => { reload(); }, [name, changes]);
  return { ...state, reload, more: () => read(state.items, state.next) };
}

function columns(site, { goLive, compare }) {
  return [
    { name: "Version", cell: (version) => html`<div class="stack tight version-cell">
      <span class="row"><a class="mono" href=${to("sites", site.name, "files", version.id)}>${shortId(version.id)}</a>${version.live && html`<${Badge} kind="good">live<//>`}</span>
      ${version.message ? html`<span class="wrap">${version.message}</span>` : html`<span class="quiet">no message</span>`}
    </div>` },
    { name: "From", wide: true, cell: (version) => html`<span class="quiet wrap">${version.source || "–"}</span>` },
    { name: "Size", number: true, wide: true, cell: (version) => html`<span class="nowrap">${bytes(version.bytes)}</span><br /><span class="quiet small nowrap">${plural(version.files, "file")}</span>` },
    { name: "Age", cell: (version) => html`<${When} time=${version.created_at} />` },
    { name: "", class: "actions", cell: (version) => html`<${Actions} site=${site} version=${version} goLive=${goLive} compare=${compare} />` },
  ];
}

function Actions({ site, version, goLive, compare }) {
  const [run, busy] = useAction(async () => {
    try {
      await goLive(version);
    } catch (error) {
      toastError(error);
    }
  });
  const preview = safeUrl(version.url);
  const id = shortId(version.id);
  return html`<div class="row actions-row">
    ${!version.live && may("deploy") && html`<${Button} small icon="rollback" busy=${busy} disabled=${site.locked} onClick=${run} aria-label=${`Make live: ${id}`}>Make live<//>`}
    ${preview && html`<${Button} small kind="plain" icon="out" href=${preview} target="_blank" rel="noreferrer" aria-label=${`Preview ${id}`}>Preview<//>`}
    <${Button} small kind="plain" onClick=${() => compare(version)} aria-label=${`Compare ${id}`}>Compare<//>
    <${Button} small kind="plain" icon="download" href=${`/api${at(site.name, "versions", version.id, "export")}`} download=${`${site.name}-${id}.tar`} aria-label=${`Download ${id} as a tar`} title="Download as a tar" />
  </div>`;
}

function NoVersion({ site }) {
  return html`<${EmptyState} icon="upload" title="No version yet" command=${`fazt deploy . --site ${quote(site.name)}`}
    action=${html`<${Button} kind="primary" href=${to("sites", site.name)}>Deploy a folder<//>`}>
    Each deploy makes a version that never changes. They stay here, each with an address of its own, and any of them can be made live again.<//>`;
}

function Difference({ site, version, versions, onClose }) {
  const others = versions.filter(({ id }) => id !== version.id);
  const [other, setOther] = useState((others.find(({ live }) => live) ?? others.find(({ id }) => id === version.parent) ?? others[0])?.id ?? null);
  const difference = useLoad(() => (other ? get(at(site.name, "versions", version.id, "diff"), { to: other }) : null), [version.id, other]);
  const { data, error } = difference;
  const parts = [["added", "Added", "+", "good"], ["changed", "Changed", "~", "warning"], ["removed", "Removed", "−", "danger"]];
  return html`<${Dialog} title=${`From ${shortId(version.id)} to another version`} wide onClose=${onClose}>
    ${other === null
      ? html`<p class="quiet">There is no other version to compare it with.</p>`
      : html`<${Select} label="To" value=${other} onChange=${setOther} options=${others.map((each) => [each.id, `${shortId(each.id)}${each.live ? " (live)" : ""} ${each.message.slice(0, 60)}`])} />`}
    ${error && html`<${Fault} error=${error} />`}
    ${!data && !error && other && html`<${Skeleton} size="block" />`}
    ${data && parts.every(([key]) => data[key].length === 0) && html`<p class="quiet">Both hold the same files.</p>`}
    ${data && parts.filter(([key]) => data[key].length).map(([key, name, sign, kind]) => html`<div class="stack tight" key=${key}>
      <h3>${name} <${Badge} kind=${kind}>${count(data[key].length)}<//></h3>
      <ul class="path-list mono">${data[key].slice(0, 500).map((path) => html`<li key=${path}><span aria-hidden="true">${sign}</span> ${key === "removed" ? path : html`<a href=${to("sites", site.name, "files", other, ...path.split("/"))}>${path}</a>`}</li>`)}</ul>
      ${data[key].length > 500 && html`<p class="quiet small">and ${count(data[key].length - 500)} more</p>`}
    </div>`)}
    ${other && html`<${CliLine} command=${`fazt versions diff ${quote(site.name)} ${shortId(version.id)} ${shortId(other)}`} />`}
  <//>`;
}

function Prune({ site, onDone, onClose }) {
  const [keep, setKeep] = useState("10");
  const [typed, setTyped] = useState("");
  const number = Number(keep);
  const sound = /^[0-9]{1,6}$/.test(keep) && number >= 1;
  const [run, busy, fault] = useAction(async () => {
    const { removed, freed_bytes } = await post(at(site.name, "versions", "prune"), { keep: number });
    await onDone();
    onClose();
    toast(removed.length ? `${plural(removed.length, "version")} deleted; ${bytes(freed_bytes)} freed.` : "There was nothing to delete.");
  });
  return html`<${Dialog} title="Delete old versions" onClose=${onClose}>
    <form class="stack" onSubmit=${(event) => { event.preventDefault(); if (sound && typed === site.name) run(); }}>
      <p>Deletes versions and the contents that no other version uses. The live version and the one before it always stay. There is no way back.</p>
      <${Input} label="How many of the newest stay" type="number" min="1" value=${keep} onInput=${setKeep} fault=${sound ? null : "A whole number from 1."} />
      <${Input} label=${html`Type <b class="mono">${site.name}</b> to confirm`} value=${typed} onInput=${setTyped} autocomplete="off" spellcheck=${false} />
      ${fault && html`<${Fault} error=${fault} />`}
      <${CliLine} command=${`fazt versions prune ${quote(site.name)} --keep ${sound ? number : "N"}`} />
      <footer><${Button} onClick=${onClose}>Cancel<//><${Button} type="submit" kind="danger primary" busy=${busy} disabled=${!sound || typed !== site.name}>Delete them<//></footer>
    </form>
  <//>`;
}
