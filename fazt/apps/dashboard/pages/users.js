// Who may use this server: accounts, their roles and sites, and links that make more of them.
import { del, list, patch, post, seen } from "../api.js";
import { CliLine, CopyButton, quote } from "../components/cli.js";
import { ConfirmByName, Dialog } from "../components/dialog.js";
import { EmptyState } from "../components/empty.js";
import { Button, Form, Input, Select, useAction } from "../components/form.js";
import { LoadFault, useLoad } from "../components/load.js";
import { Badge, Card, Page, Table } from "../components/table.js";
import { toast } from "../components/toast.js";
import { ago, momentOf, namesOf, sitesOf } from "../format.js";
import { html, useState } from "../vendor/preact.js";

export const ROLES = [
  ["viewer", "Viewer: looks at sites"],
  ["editor", "Editor: deploys to the sites that are named"],
  ["admin", "Admin: everything but owners"],
  ["owner", "Owner: everything"],
];


export default function Users({ session }) {
  const users = useLoad(() => list("/users"), []);
  const invites = useLoad(() => list("/invites"), []);
  const [open, setOpen] = useState(null); // {kind, user}
  const close = () => setOpen(null);
  const owner = session.user.role === "owner";
  const mayChange = (user) => owner || user.role !== "owner";
  if (users.error) return html`<${Page} title="Users"><${LoadFault} ...${users} /><//>`;
  return html`<${Page} title="Users" about="People with an account here, and what they may do."
    actions=${html`<${Button} kind="primary" icon="plus" onClick=${() => setOpen({ kind: "invite" })}>Invite somebody<//>`}>
    <${Card} flush label="Users"><${Table} label="Users" items=${users.data} keyOf=${(user) => user.name} columns=${[
      { name: "Name", cell: (user) => html`<b>${user.name}</b>${user.name === session.user.name ? html` <${Badge}>you<//>` : ""}` },
      { name: "Role", cell: (user) => html`<${Badge} kind=${user.role === "owner" ? "accent" : ""}>${user.role}<//>` },
      { name: "Sites", wide: true, cell: (user) => html`<span class="quiet wrap">${namesOf(user.sites)}</span>` },
      { name: "Second factor", wide: true, cell: (user) => (user.totp || user.passkeys ? html`<${Badge} kind="good">yes<//>` : html`<${Badge} kind="warning">no<//>`) },
      { name: "Seen", cell: (user) => html`<span class="quiet nowrap">${ago(user.last_seen_at)}</span>` },
      { name: "", class: "actions", cell: (user) => mayChange(user) && html`<div class="row nowrap"><${Button} small onClick=${() => setOpen({ kind: "role", user })} aria-label=${`Change ${user.name}`}>Change<//>
        <${Button} small kind="plain" icon="trash" aria-label=${`Remove ${user.name}`} onClick=${() => setOpen({ kind: "remove", user })} /></div>` },
    ]} /><//>
    <${Card} flush title="Invites that still hold"><${Table} label="Invites" items=${invites.data} keyOf=${(invite) => invite.id} empty=${html`<${EmptyState} icon="users" title="No open invite" command="fazt user create --role editor --site blog">
      An invite is a link that makes one account, with the role that you choose.<//>`} columns=${[
      { name: "Invite", cell: (invite) => html`<span class="mono">${invite.id}</span>` },
      { name: "Role", cell: (invite) => html`<${Badge}>${invite.role}<//>` },
      { name: "Sites", wide: true, cell: (invite) => namesOf(invite.sites) },
      { name: "Made by", wide: true, cell: (invite) => invite.made_by },
      { name: "Holds until", cell: (invite) => html`<span class="quiet nowrap">${momentOf(invite.expires_at)}</span>` },
      { name: "", class: "actions", cell: (invite) => html`<${TakeBack} invite=${invite} onDone=${invites.reload} />` },
    ]} /><//>
    ${open?.kind === "invite" && html`<${Inviting} owner=${owner} onClose=${() => { close(); invites.reload(); }} />`}
    ${open?.kind === "role" && html`<${Role} user=${open.user} owner=${owner} onClose=${() => { close(); users.reload(); }} />`}
    ${open?.kind === "remove" && html`<${ConfirmByName} title=${`Remove ${open.user.name}`} name=${open.user.name} action="Remove the user" command=${`fazt user remove ${quote(open.user.name)}`} onClose=${close}
      onConfirm=${async () => { await del(`/users/${encodeURIComponent(open.user.name)}`); toast(`${open.user.name} is removed.`); users.reload(); }}>
      Their sessions end at once. Their sites and deploys stay.<//>`}
  <//>`;
}

function TakeBack({ invite, onDone }) {
  const [run, busy] = useAction(async () => {
    await del(`/invites/${invite.id}`);
    toast("The invite is of no use any more.");
    onDone();
  });
  return html`<${Button} small busy=${busy} onClick=${run} aria-label=${`Take the invite ${invite.id} back`}>Take back<//>`;
}

function RoleFields({ role, setRole, sites, setSites, owner }) {
  return html`<${Select} label="Role" options=${ROLES.filter(([name]) => owner || name !== "owner")} value=${role} onChange=${setRole} />
    ${["editor", "viewer"].includes(role) && html`<${Input} label="Sites" value=${sites} onInput=${setSites} required=${role === "editor"} autocomplete="off" spellcheck=${false}
      hint=${role === "editor" ? "Names, with commas between them." : "Names, with commas between them; empty: all."} />`}`;
}

function Inviting({ owner, onClose }) {
  const [role, setRole] = useState("editor");
  const [sites, setSites] = useState("");
  const [made, setMade] = useState(null);
  const wanted = ["owner", "admin"].includes(role) ? null : sitesOf(sites);
  const [run, busy, fault] = useAction(async () => setMade(await post("/invites", { role, sites: wanted })));
  const command = ["fazt user create", `--role ${role}`, ...(wanted ?? []).map((site) => `--site ${quote(site)}`)].join(" ");
  return html`<${Dialog} title="Invite somebody" onClose=${onClose}>${made ? html`
    <p>This link makes one account (${made.role}). It is shown this once, and holds until ${momentOf(made.expires_at)}.</p>
    <div class="secret">${made.url}</div><footer class="row"><${CopyButton} text=${made.url} label="Copy the link" /><${Button} kind="primary" onClick=${onClose}>Done<//></footer>` : html`
    <${Form} submit="Make the link" busy=${busy} fault=${fault} onSubmit=${run}><${RoleFields} role=${role} setRole=${setRole} sites=${sites} setSites=${setSites} owner=${owner} /><//>
    <${CliLine} command=${command} />`}<//>`;
}

function Role({ user, owner, onClose }) {
  const [role, setRole] = useState(user.role);
  const [sites, setSites] = useState(user.sites?.join(", ") ?? "");
  const [run, busy, fault] = useAction(async () => {
    const wanted = ["owner", "admin"].includes(role) ? null : sitesOf(sites);
    const made = await patch(`/users/${encodeURIComponent(user.name)}`, { role, sites: wanted }, seen(user));
    toast(`${user.name} is ${role} now.`, { undo: () => patch(`/users/${encodeURIComponent(user.name)}`, { role: user.role, sites: user.sites }, seen(made)).then(onClose) });
    onClose();
  });
  return html`<${Dialog} title=${`What ${user.name} may do`} onClose=${onClose}>
    <${Form} busy=${busy} fault=${fault} onSubmit=${run}><${RoleFields} role=${role} setRole=${setRole} sites=${sites} setSites=${setSites} owner=${owner} />
    <p class="quiet small">Their sessions end; they sign in again.</p><//>
  <//>`;
}
