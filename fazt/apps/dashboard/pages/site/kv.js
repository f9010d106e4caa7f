// What the functions of a site keep under keys: look, change, add, take away.

import { del, get, put } from "../../api.js";
import { quote } from "../../components/cli.js";
import { Dialog } from "../../components/dialog.js";
import { EmptyState } from "../../components/empty.js";
import { Button, Fault, Input, TextArea, useAction } from "../../components/form.js";
import { LoadFault } from "../../components/load.js";
import { Badge, Card, Skeleton, Table } from "../../components/table.js";
import { toast, toastError } from "../../components/toast.js";
import { bytes } from "../../format.js";
import { html, useEffect, useState } from "../../vendor/preact.js";
import { Commands, encode, may, When } from "./parts.js";

const PAGE = 100;
const pathOf = (site, key) => `/sites/${encode(site)}/kv/${encode(key)}`;

export function KeyValues({ site }) {
  const [prefix, setPrefix] = useState("");
  const [state, setState] = useState({ items: null, next: null, error: null });
  const [open, setOpen] = useState(null);
  const read = async (before, after) => {
    try {
      const page = await get(`/sites/${encode(site.name)}/kv`, { prefix, limit: PAGE, after });
      setState({ items: [...before, ...page.items], next: page.next, error: null });
    } catch (error) {
      setState((old) => ({ ...old, error }));
    }
  };
  const reload = () => read([], null);
  useEffect(() => {
    const waiting = setTimeout(reload, prefix ? 250 : 0);
    return () => clearTimeout(waiting);
  }, [site.name, prefix]);
  const empty = prefix
    ? html`<${EmptyState} icon="search" title="No key begins with that">Keys are found by how they begin, letter by letter.<//>`
    : html`<${EmptyState} icon="key" title="Nothing is kept yet" command=${`fazt kv ${quote(site.name)} set greeting '"hello"'`}>
      Functions keep small things with <span class="mono">await fazt.kv.set("greeting", "hello")</span>: counters, settings, sessions.<//>`;
  const add = may("admin") && html`<${Button} small kind="primary" icon="plus" onClick=${() => setOpen({ key: "", isNew: true })}>Add a key<//>`;
  return html`<div class="stack">
    <${Card} title="Key-value" flush actions=${add}>
      <div class="padded list-bar"><input class="input search-input" type="search" placeholder="Keys that begin with…" aria-label="Keys that begin with" value=${prefix} onInput=${(event) => setPrefix(event.target.value)} /></div>
      ${state.error ? html`<div class="padded"><${LoadFault} error=${state.error} reload=${reload} /></div>` : html`<${Table} label="Keys" items=${state.items} keyOf=${({ key }) => key} empty=${empty} columns=${[
        { name: "Key", cell: (entry) => html`<button type="button" class="link-button mono wrap" onClick=${() => setOpen(entry)}>${entry.key}</button>` },
        { name: "Kind", wide: true, cell: ({ kind }) => html`<${Badge}>${kind}<//>` },
        { name: "Size", number: true, cell: ({ size }) => bytes(size) },
        { name: "Expires", wide: true, cell: ({ expires_at }) => (expires_at ? html`<${When} time=${expires_at} />` : html`<span class="quiet">never</span>`) },
      ]} />`}
      ${state.next && html`<div class="padded"><${Button} onClick=${() => read(state.items, state.next)}>More keys<//></div>`}
    <//>
    <${Commands} lines=${[`fazt kv ${quote(site.name)} list${prefix ? ` --prefix ${quote(prefix)}` : ""}`, `fazt kv ${quote(site.name)} get KEY`, `fazt kv ${quote(site.name)} set KEY VALUE`]} />
    ${open && html`<${Entry} site=${site} entry=${open} onDone=${reload} onClose=${() => setOpen(null)} />`}
  </div>`;
}

function Entry({ site, entry, onDone, onClose }) {
  const [key, setKey] = useState(entry.key);
  const [known, setKnown] = useState(entry.isNew ? { kind: "json", value: undefined, version: null } : null);
  const [text, setText] = useState("");
  const [load, , failed] = useAction(async () => {
    const found = await get(pathOf(site.name, entry.key));
    setKnown(found);
    setText(found.kind === "json" ? JSON.stringify(found.value, null, 2) : found.base64);
  });
  useEffect(() => {
    if (!entry.isNew) load();
  }, []);
  const isJson = known?.kind !== "bytes";
  const wrong = known && isJson && text && !isSound(text) ? "This is no JSON. Text stands in double quotes." : null;
  const [save, busy, fault] = useAction(async () => {
    await put(pathOf(site.name, key), { ...(isJson ? { value: JSON.parse(text) } : { base64: text }), if_version: known.version });
    await onDone();
    onClose();
    const before = known;
    toast(`${key} is set.`, { undo: async () => {
      await (entry.isNew ? del(pathOf(site.name, key)) : put(pathOf(site.name, key), isJson ? { value: before.value } : { base64: before.base64 }));
      await onDone();
    } });
  });
  const remove = async () => {
    try {
      await del(pathOf(site.name, key));
      await onDone();
      onClose();
      toast(`${key} is gone.`, { undo: async () => { await put(pathOf(site.name, key), isJson ? { value: known.value } : { base64: known.base64 }); await onDone(); } });
    } catch (error) {
      toastError(error);
    }
  };
  const change = may("admin");
  return html`<${Dialog} title=${entry.isNew ? "Add a key" : entry.key} wide onClose=${onClose}>
    ${failed ? html`<${Fault} error=${failed} />` : !known ? html`<${Skeleton} size="block" />` : html`<form class="stack" onSubmit=${(event) => { event.preventDefault(); if (key && text && !wrong) save(); }}>
      ${entry.isNew && html`<${Input} label="Key" value=${key} onInput=${setKey} autocomplete="off" spellcheck=${false} />`}
      <${TextArea} label=${isJson ? "Value (JSON)" : "Value (bytes, in base64)"} value=${text} onInput=${setText} spellcheck=${false} rows="10" readonly=${!change} fault=${wrong} />
      ${fault && html`<${Fault} error=${fault} />`}
      ${fault?.code === "kv_conflict" && html`<div><${Button} small onClick=${load}>Load what is there now<//></div>`}
      ${change && html`<footer>${!entry.isNew && html`<${Button} kind="danger" onClick=${remove}>Delete<//>`}<span class="grow"></span><${Button} onClick=${onClose}>Cancel<//>
        <${Button} type="submit" kind="primary" busy=${busy} disabled=${!key || !text || Boolean(wrong)}>Set it<//></footer>`}
    </form>`}
  <//>`;
}

function isSound(text) {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
