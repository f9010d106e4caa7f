// Where you are told of what happens: ntfy topics and webhooks, a test, and how each telling went.
import { del, get, list, patch, post, seen } from "../api.js";
import { CliLine, quote } from "../components/cli.js";
import { ConfirmByName, Dialog } from "../components/dialog.js";
import { EmptyState } from "../components/empty.js";
import { Button, Check, Fault, Input, Select, useAction } from "../components/form.js";
import { LoadFault, useLoad } from "../components/load.js";
import { SecretOnce } from "../components/secret.js";
import { Badge, Card, Page, Table } from "../components/table.js";
import { toast, toastError } from "../components/toast.js";
import { ago, milliseconds, momentOf } from "../format.js";
import { go, to } from "../router.js";
import { html, useState } from "../vendor/preact.js";

const EVENTS = [
  ["deploy", "A site goes live", "by a deploy, an edit or a rollback"],
  ["error_burst", "A site fails much", "once an hour at most"],
  ["disk", "The disk fills up", "once a day at most"],
  ["sign_in", "A sign-in from a new place", ""],
  ["certificate", "Trouble with a certificate", ""],
  ["backup", "Trouble with a backup", ""],
];
const KINDS = [["ntfy", "ntfy: a phone or a desktop"], ["webhook", "Webhook: signed JSON"]];
const one = (name) => `/notifications/${encodeURIComponent(name)}`;
const told = (events) => (events.length === EVENTS.length ? "everything" : events.map((kind) => EVENTS.find(([name]) => name === kind)?.[1] ?? kind).join(", "));

export default function Notifications({ rest }) {
  return rest[0] ? html`<${One} key=${rest[0]} name=${rest[0]} />` : html`<${All} />`;
}

function State({ notice }) {
  if (!notice) return html`<span class="quiet">nothing yet</span>`;
  if (notice.state === "sent") return html`<${Badge} kind="good">sent<//> <span class="quiet small" title=${momentOf(notice.tried_at)}>${ago(notice.tried_at)}</span>`;
  if (notice.state === "failed") return html`<${Badge} kind="danger">given up<//> <span class="quiet small" title=${momentOf(notice.tried_at)}>${ago(notice.tried_at)}</span>`;
  return html`<${Badge} kind="warning">waits<//> <span class="quiet small" title=${momentOf(notice.next_at)}>next try ${ago(notice.next_at)}</span>`;
}

function All() {
  const found = useLoad(() => list("/notifications"), []);
  const [making, setMaking] = useState(false);
  const [made, setMade] = useState(null);
  const add = html`<${Button} kind="primary" icon="plus" onClick=${() => setMaking(true)}>New notification<//>`;
  const columns = [
    { name: "Notification", cell: (each) => html`<a href=${to("notifications", each.name)}><b>${each.name}</b></a>${!each.enabled && html` <${Badge} kind="warning">off<//>`}` },
    { name: "Kind", wide: true, cell: (each) => each.kind },
    { name: "Tells of", wide: true, cell: (each) => html`<span class="wrap">${told(each.events)}</span>` },
    { name: "Last", cell: (each) => html`<${State} notice=${each.last} />` },
  ];
  return html`<${Page} title="Notifications" about="Be told of what happens while you are not looking." actions=${add}>
    <${Card} flush label="Notifications">
      ${found.error ? html`<div class="padded"><${LoadFault} ...${found} /></div>` : html`<${Table} label="Notifications" columns=${columns} items=${found.data} keyOf=${(each) => each.name}
        empty=${html`<${EmptyState} icon="bell" title="Nobody is told yet" command="fazt notifications create phone https://ntfy.sh/a-topic-that-nobody-guesses" action=${add}>
          Install the ntfy app, choose a topic that nobody guesses, and be told on your phone of deploys, failures, a full disk and sign-ins from new places. Or take a webhook.<//>`} />`}
    <//>
    ${making && html`<${Edit} onDone=${(done) => { setMaking(false); done.secret && done.kind === "webhook" ? setMade(done) : go("notifications", done.name); }} onClose=${() => setMaking(false)} />`}
    ${made && html`<${SecretOnce} title=${`${made.name} is there`} secret=${made.secret} onClose=${() => go("notifications", made.name)}>
      What is sent carries <span class="mono">Fazt-Signature: t=…,v1=…</span>, made with this secret:<//>`}
  <//>`;
}

function Edit({ given, onDone, onClose }) {
  const [name, setName] = useState(given?.name ?? "");
  const [kind, setKind] = useState(given?.kind ?? "ntfy");
  const [url, setUrl] = useState(given?.url ?? "");
  const [secret, setSecret] = useState("");
  const [events, setEvents] = useState(given?.events ?? EVENTS.map(([each]) => each));
  const [run, busy, fault] = useAction(async () => {
    const body = { url: url.trim(), events, ...(secret ? { secret } : {}) };
    onDone(given ? await patch(one(given.name), body, seen(given)) : await post("/notifications", { name, kind, ...body }));
  });
  const chosen = events.length < EVENTS.length ? events.map((each) => ` --event ${each}`).join("") : "";
  const command = given ? `fazt notifications set ${quote(given.name)} --url ${quote(url.trim())}${chosen}` : `fazt notifications create ${quote(name || "NAME")} ${quote(url.trim() || "URL")}${kind === "ntfy" ? "" : ` --kind ${kind}`}${chosen}${secret ? " --secret < secret.txt" : ""}`;
  const hint = { ntfy: "The access token of ntfy (tk_…), where the topic wants one.", webhook: "Signs what is sent. Empty: a new one is made and shown once." }[kind];
  return html`<${Dialog} title=${given ? `Change ${given.name}` : "New notification"} onClose=${onClose}>
    <form class="stack" autocomplete="off" onSubmit=${(event) => { event.preventDefault(); if (events.length) run(); }}>
      ${!given && html`<${Input} label="Name" value=${name} onInput=${setName} placeholder="phone" maxlength="64" required spellcheck=${false} hint="a-z, 0-9, - and _." />
        <${Select} label="Kind" value=${kind} onChange=${setKind} options=${KINDS} />`}
      <${Input} label=${kind === "ntfy" ? "Address of the topic" : "Address"} type="url" value=${url} onInput=${setUrl} required spellcheck=${false} placeholder=${kind === "ntfy" ? "https://ntfy.sh/a-topic-that-nobody-guesses" : "https://example.org/hook"}
        hint=${html`Addresses of your own network need the setting <span class="mono">notifications_private</span>.`} />
      <${Input} label=${given ? "New secret" : "Secret"} type="password" value=${secret} onInput=${setSecret} autocomplete="new-password" hint=${given ? "Empty: the one that is set stays." : hint} />
      <fieldset class="plain-fieldset"><legend>Tell of</legend>${EVENTS.map(([each, label, more]) => html`<${Check} label=${label} hint=${more} checked=${events.includes(each)}
        onChange=${(on) => setEvents(EVENTS.map(([kind]) => kind).filter((kind) => (kind === each ? on : events.includes(kind))))} />`)}</fieldset>
      ${fault && html`<${Fault} error=${fault} />`}
      <${CliLine} command=${command} />
      <footer><${Button} onClick=${onClose}>Cancel<//><${Button} type="submit" kind="primary" busy=${busy} disabled=${!url.trim() || !events.length || !(given || name)}>${given ? "Save" : "Make it"}<//></footer>
    </form>
  <//>`;
}

function One({ name }) {
  const found = useLoad(() => get(one(name)), [name]);
  const log = useLoad(() => get(`${one(name)}/deliveries`, { limit: 100 }), [name]);
  const [doing, setDoing] = useState(null);
  const close = () => setDoing(null);
  const [test, testing] = useAction(async () => {
    try {
      const notice = await post(`${one(name)}/test`);
      if (notice.state === "sent") toast(`It arrived: status ${notice.status} after ${milliseconds(notice.duration_ms)}.`);
      else toast(`It did not arrive. ${notice.error}`, { kind: "danger" });
    } catch (error) {
      toastError(error);
    }
    await log.reload();
  });
  const channel = found.data;
  if (found.error) return html`<${Page} title=${name}><${LoadFault} ...${found} /><//>`;
  if (!channel) return html`<${Page} title=${name} />`;
  const turn = async () => {
    try {
      const made = await patch(one(name), { enabled: !channel.enabled }, seen(channel));
      found.set(made);
      await log.reload();
      toast(channel.enabled ? `${name} is told nothing for now.` : `${name} is told again.`, { undo: async () => found.set(await patch(one(name), { enabled: channel.enabled }, seen(made))) });
    } catch (error) {
      toastError(error);
    }
  };
  const actions = html`<${Button} kind="primary" icon="bell" busy=${testing} onClick=${test}>Send a test<//><${Button} onClick=${turn}>${channel.enabled ? "Switch off" : "Switch on"}<//>
    <${Button} onClick=${() => setDoing("change")}>Change<//><${Button} kind="danger" icon="trash" onClick=${() => setDoing("remove")}>Remove<//>`;
  const columns = [
    { name: "What", cell: (each) => html`<b class="wrap">${each.title}</b>${each.text && html`<div class="quiet small wrap">${each.text.split("\n")[0].slice(0, 120)}</div>`}` },
    { name: "When", wide: true, cell: (each) => html`<span title=${momentOf(each.at)}>${ago(each.at)}</span>` },
    { name: "How it went", cell: (each) => html`<${State} notice=${each} />${each.error && html`<div class="quiet small wrap">${each.error}</div>`}` },
    { name: "Tries", number: true, cell: (each) => each.attempts },
  ];
  return html`<${Page} title=${name} about=${html`<a href=${to("notifications")}>Notifications</a> · ${channel.kind} · tells of ${told(channel.events)}${channel.enabled ? "" : " · switched off"}`} actions=${actions}>
    <${Card} title="Goes to"><div class="cli value"><code tabindex="0">${channel.url}</code></div><//>
    <${Card} title="What was told" flush actions=${html`<${Button} small onClick=${log.reload}>Refresh<//>`}>
      ${log.error ? html`<div class="padded"><${LoadFault} ...${log} /></div>` : html`<${Table} label="What was told" columns=${columns} items=${log.data?.items ?? null} keyOf=${(each) => each.id}
        empty=${html`<${EmptyState} icon="bell" title="Nothing was told yet">Send a test to see that it arrives.<//>`} />`}
    <//>
    <${CliLine} command=${`fazt notifications log ${quote(name)}`} />
    ${doing === "change" && html`<${Edit} given=${channel} onDone=${(done) => { found.set(done); close(); toast(`${name} is changed.`); }} onClose=${close} />`}
    ${doing === "remove" && html`<${ConfirmByName} title="Remove a notification" name=${name} action="Remove it" command=${`fazt notifications remove ${quote(name)}`}
      onConfirm=${async () => { await del(one(name)); toast(`${name} is gone.`); go("notifications"); }} onClose=${close}>Its log goes with it, and what waits to be told there is given up.<//>`}
  <//>`;
}
