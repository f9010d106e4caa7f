// Backups: made, proven, fetched, restored.
import { del, get, list, post } from "../api.js";
import { CliLine, quote } from "../components/cli.js";
import { ConfirmByName, Dialog } from "../components/dialog.js";
import { EmptyState } from "../components/empty.js";
import { Button, Form, Input, useAction } from "../components/form.js";
import { LoadFault, useLoad } from "../components/load.js";
import { Badge, Card, Page, Table } from "../components/table.js";
import { toast, toastError } from "../components/toast.js";
import { ago, bytes, count, momentOf } from "../format.js";
import { html, useState } from "../vendor/preact.js";

const one = (id) => `/backups/${encodeURIComponent(id)}`;

export default function Backups({ session }) {
  const found = useLoad(() => list("/backups"), []);
  const [open, setOpen] = useState(null);
  const [busy, setBusy] = useState(null);
  const close = () => setOpen(null);
  const owner = session.user.role === "owner";
  const make = html`<${Button} kind="primary" icon="plus" onClick=${() => setOpen({ kind: "new" })}>New backup<//>`;
  const prove = async (backup) => {
    setBusy(backup.id);
    try {
      const { proof } = await post(`${one(backup.id)}/verify`, {});
      toast(proof.failed === null ? `${backup.id} is whole: every site was served from it.` : `${backup.id} is of no use: ${proof.failed}`);
      await found.reload();
    } catch (error) {
      toastError(error);
    } finally {
      setBusy(null);
    }
  };
  const columns = [
    { name: "Backup", cell: (backup) => html`<span class="mono wrap">${backup.id}</span>${backup.label && html`<div class="quiet small wrap">${backup.label}</div>`}` },
    { name: "Made", cell: (backup) => html`<span class="quiet nowrap" title=${momentOf(backup.made_at)}>${ago(backup.made_at)}</span>` },
    { name: "Size", number: true, wide: true, cell: (backup) => html`<span class="nowrap">${bytes(backup.bytes)}</span>` },
    { name: "Sites", number: true, wide: true, cell: (backup) => count(backup.sites) },
    { name: "Proven", cell: (backup) => html`<${Proven} backup=${backup} />` },
    { name: "", class: "actions", cell: (backup) => html`<div class="row actions-row">
      ${!backup.encrypted && html`<${Button} small kind="plain" busy=${busy === backup.id} onClick=${() => prove(backup)} aria-label=${`Prove ${backup.id}`}>${busy === backup.id ? "Proving…" : "Prove"}<//>`}
      ${owner && html`<${Button} small kind="plain" icon="download" href=${`/api${one(backup.id)}/content`} aria-label=${`Download ${backup.id}`} title="Download" />
        <${Button} small kind="plain" icon="rollback" onClick=${() => setOpen({ kind: "restore", backup })} aria-label=${`Restore ${backup.id}`} title="Restore" />`}
      <${Button} small kind="plain" icon="trash" onClick=${() => setOpen({ kind: "remove", backup })} aria-label=${`Remove ${backup.id}`} title="Remove" /></div>` },
  ];
  return html`<${Page} title="Backups" about="Everything in one file. One is made a day by itself, and the newest is proven once a week." actions=${make}>
    <${Card} flush label="Backups">${found.error ? html`<div class="padded"><${LoadFault} ...${found} /></div>` : html`<${Table} label="Backups" columns=${columns} items=${found.data} keyOf=${(backup) => backup.id}
      empty=${html`<${EmptyState} icon="download" title="No backup yet" action=${make} command="fazt backup create">The first one comes by itself. Sites, versions, data, accounts and settings are in it; the server goes on while it is made.<//>`} />`}<//>
    ${open?.kind === "new" && html`<${NewBackup} onDone=${found.reload} onClose=${close} />`}
    ${open?.kind === "restore" && html`<${Restore} backup=${open.backup} onClose=${close} />`}
    ${open?.kind === "remove" && html`<${ConfirmByName} title="Remove this backup" name=${open.backup.id} action="Remove" command=${`fazt backup remove ${quote(open.backup.id)}`} onClose=${close}
      onConfirm=${async () => { await del(one(open.backup.id)); toast(`${open.backup.id} is gone.`); await found.reload(); }}>Its file is deleted, and nothing brings it back.<//>`}
  <//>`;
}

function Proven({ backup }) {
  if (backup.proof === null) return html`<span class="quiet nowrap">not yet</span>`;
  if (backup.proof.failed !== null) return html`<${Badge} kind="danger">failed<//><div class="quiet small wrap">${backup.proof.failed}</div>`;
  return html`<span class="quiet nowrap" title=${momentOf(backup.proof.at)}>proven ${ago(backup.proof.at)}</span>`;
}

function NewBackup({ onDone, onClose }) {
  const [label, setLabel] = useState("");
  const [passphrase, setPassphrase] = useState("");
  const [run, busy, fault] = useAction(async () => {
    const made = await post("/backups", { label, passphrase: passphrase || null });
    await onDone();
    onClose();
    toast(`${made.id} is made: ${bytes(made.bytes)}.`);
  });
  return html`<${Dialog} title="New backup" onClose=${onClose}>
    <${Form} submit=${busy ? "Making it…" : "Make it"} busy=${busy} fault=${fault} onSubmit=${run}>
      <${Input} label="What it is for" value=${label} onInput=${setLabel} maxlength="200" autofocus autocomplete="off" />
      <${Input} label="Passphrase" type="password" value=${passphrase} onInput=${setPassphrase} autocomplete="new-password" hint="Empty: not encrypted, and without the key of the secrets. Nobody can help you to it later." />
    <//><${CliLine} command=${`fazt backup create${label ? ` --label ${quote(label)}` : ""}${passphrase ? " --encrypt" : ""}`} />
  <//>`;
}

function Restore({ backup, onClose }) {
  const [passphrase, setPassphrase] = useState("");
  const restore = async () => {
    const { started_at: before } = (await get("/status"));
    await post(`${one(backup.id)}/restore`, { passphrase: passphrase || null });
    toast("The server starts anew with it.");
    await startedAnew(before);
    location.reload(); // who is signed in may be another now
  };
  return html`<${ConfirmByName} title="Restore this backup" name=${backup.id} action="Restore" command=${`fazt backup restore ${quote(backup.id)}`} onConfirm=${restore} onClose=${onClose}>
    <p>Everything is as it was ${ago(backup.made_at)}: ${count(backup.sites)} sites. What was changed since is kept beside the database on the server, and shown nowhere. You may have to sign in again.</p>
    ${backup.encrypted && html`<${Input} label="Passphrase" type="password" value=${passphrase} onInput=${setPassphrase} autocomplete="off" />`}
  <//>`;
}

// Wait until another start of the server answers, however: it may not know this session any more.
async function startedAnew(before) {
  for (let tries = 0; tries < 100; tries += 1) {
    await new Promise((done) => { setTimeout(done, 300); });
    try {
      if ((await get("/status")).started_at !== before) return;
    } catch (error) {
      if (error.status === 401 || error.status === 403) return;
    }
  }
}
