// Short links of the server's domain: made, copied, changed, followed.
import { del, list, patch, post, seen } from "../api.js";
import { CliLine, CopyButton, quote } from "../components/cli.js";
import { Dialog } from "../components/dialog.js";
import { EmptyState } from "../components/empty.js";
import { Button, Fault, Input, useAction } from "../components/form.js";
import { LoadFault, useLoad } from "../components/load.js";
import { Card, Page, Table } from "../components/table.js";
import { toast, toastError } from "../components/toast.js";
import { ago, count, momentOf, safeUrl } from "../format.js";
import { html, useMemo, useState } from "../vendor/preact.js";

const SHOWN = 100;
const one = (slug) => `/links/${encodeURIComponent(slug)}`;
const plainUrl = (url) => url.replace(/^https?:\/\//, "");

export default function Links({ session }) {
  const found = useLoad(() => list("/links"), []);
  const [edited, setEdited] = useState(null);
  const [typed, setTyped] = useState("");
  const [shown, setShown] = useState(SHOWN);
  const change = ["owner", "admin"].includes(session.user.role);
  const words = typed.trim().toLowerCase();
  const items = useMemo(() => found.data?.filter((link) => `${link.slug} ${link.target} ${link.label}`.toLowerCase().includes(words)), [found.data, words]);
  const add = change && html`<${Button} kind="primary" icon="plus" onClick=${() => setEdited({ slug: "", target: "", label: "", isNew: true })}>New link<//>`;
  const remove = async (link) => {
    try {
      await del(one(link.slug), undefined, seen(link));
      await found.reload();
      toast(`${link.slug} leads nowhere any more.`, { undo: async () => { await post("/links", { slug: link.slug, target: link.target, label: link.label }); await found.reload(); } });
    } catch (error) {
      toastError(error);
    }
  };
  const columns = [
    { name: "Link", cell: (link) => html`<div class="row"><a class="mono" href=${safeUrl(link.url)} target="_blank" rel="noreferrer">${plainUrl(link.url)}</a><${CopyButton} text=${link.url} /></div>${link.label && html`<div class="quiet small wrap">${link.label}</div>`}` },
    { name: "Leads to", cell: (link) => html`<a class="quiet wrap" href=${safeUrl(link.target)} target="_blank" rel="noreferrer">${link.target.length > 90 ? `${plainUrl(link.target).slice(0, 90)}…` : plainUrl(link.target)}</a>` },
    { name: "Clicks", number: true, cell: (link) => count(link.clicks) },
    { name: "Last", wide: true, cell: (link) => html`<span title=${momentOf(link.last_clicked_at)}>${ago(link.last_clicked_at)}</span>` },
    ...(change ? [{ name: "", class: "actions", cell: (link) => html`<div class="row actions-row">
      <${Button} small kind="plain" onClick=${() => setEdited(link)} aria-label=${`Change ${link.slug}`}>Change<//>
      <${Button} small kind="plain" icon="trash" onClick=${() => remove(link)} aria-label=${`Remove ${link.slug}`} title="Remove" /></div>` }] : []),
  ];
  return html`<${Page} title="Short links" about=${html`Under <span class="mono">/r/</span> of ${session.server.domain}: short enough to be said and printed.`} actions=${add}>
    ${found.data?.length > 8 && html`<${Input} label="Find a link" type="search" value=${typed} onInput=${(text) => { setTyped(text); setShown(SHOWN); }} />`}
    <${Card} flush label="Links">
      ${found.error ? html`<div class="padded"><${LoadFault} ...${found} /></div>` : html`<${Table} label="Links" columns=${columns} items=${items?.slice(0, shown) ?? null} keyOf=${(link) => link.slug}
        empty=${words ? html`<${EmptyState} icon="search" title="No link has that in it">Clear the search to see all ${count(found.data?.length)}.<//>`
          : html`<${EmptyState} icon="link" title="No link yet" command="fazt links create https://example.org/a/long/address --slug talk" action=${add}>
            An address that is too long for a slide or a letter gets a short one here. It can lead elsewhere later, and clicks are counted.<//>`} />`}
      ${items && items.length > shown && html`<div class="padded"><${Button} onClick=${() => setShown(shown + SHOWN)}>Show more of ${count(items.length)}<//></div>`}
    <//>
    ${edited && html`<${EditLink} link=${edited} onDone=${found.reload} onClose=${() => setEdited(null)} />`}
  <//>`;
}

function EditLink({ link, onDone, onClose }) {
  const [slug, setSlug] = useState(link.slug);
  const [target, setTarget] = useState(link.target);
  const [label, setLabel] = useState(link.label);
  const [run, busy, fault] = useAction(async () => {
    const made = link.isNew ? await post("/links", { slug: slug.trim() || null, target: target.trim(), label }) : await patch(one(link.slug), { target: target.trim(), label }, seen(link));
    await onDone();
    onClose();
    toast(`${plainUrl(made.url)} leads to ${plainUrl(made.target).slice(0, 60)}.`, link.isNew ? {} : { undo: async () => { await patch(one(link.slug), { target: link.target, label: link.label }, seen(made)); await onDone(); } });
  });
  const command = link.isNew
    ? `fazt links create ${quote(target.trim() || "URL")}${slug.trim() ? ` --slug ${quote(slug.trim())}` : ""}${label ? ` --label ${quote(label)}` : ""}`
    : `fazt links set ${quote(link.slug)} --to ${quote(target.trim())}${label ? ` --label ${quote(label)}` : ""}`;
  return html`<${Dialog} title=${link.isNew ? "New link" : `Change ${link.slug}`} onClose=${onClose}>
    <form class="stack" onSubmit=${(event) => { event.preventDefault(); if (target.trim()) run(); }}>
      <${Input} label="Leads to" type="url" value=${target} onInput=${setTarget} placeholder="https://example.org/a/long/address" required spellcheck=${false} autocomplete="off" />
      <${Input} label="Name behind /r/" value=${slug} onInput=${setSlug} readonly=${!link.isNew} maxlength="64" spellcheck=${false} autocomplete="off"
        hint=${link.isNew ? "Letters, digits, - and _. Empty: seven characters at random." : "It may be printed somewhere: it stays."} />
      <${Input} label="Label" hint="What it is for; only you see it." value=${label} onInput=${setLabel} maxlength="200" />
      ${fault && html`<${Fault} error=${fault} />`}
      <${CliLine} command=${command} />
      <footer><${Button} onClick=${onClose}>Cancel<//><${Button} type="submit" kind="primary" busy=${busy} disabled=${!target.trim()}>${link.isNew ? "Make it" : "Save"}<//></footer>
    </form>
  <//>`;
}
