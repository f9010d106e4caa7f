// One's own account: password, second factor, and the browsers that are signed in.
import { del, get, list, post, put } from "../api.js";
import { CopyButton } from "../components/cli.js";
import { Dialog } from "../components/dialog.js";
import { Button, Form, Input, useAction } from "../components/form.js";
import { LoadFault, useLoad } from "../components/load.js";
import { Badge, Card, Page, Skeleton, Table } from "../components/table.js";
import { toast, toastError } from "../components/toast.js";
import { ago } from "../format.js";
import { hasPasskeys, makePasskey } from "../passkey.js";
import { html, useState } from "../vendor/preact.js";

export default function Account() {
  const account = useLoad(() => get("/account"), []);
  const sessions = useLoad(() => list("/account/sessions"), []);
  if (account.error) return html`<${Page} title="Account"><${LoadFault} ...${account} /><//>`;
  const user = account.data;
  return html`<${Page} title="Account" about=${user ? `${user.name}, ${user.role}${user.sites ? ` of ${user.sites.join(", ")}` : ""}` : "\u00a0"}>
    <div class="grid two">
      ${user ? html`<${Password} hasOne=${user.password} onDone=${sessions.reload} />` : html`<div class="card"><${Skeleton} size="block" /></div>`}
      ${user ? html`<${SecondFactor} user=${user} onDone=${account.reload} />` : html`<div class="card"><${Skeleton} size="block" /></div>`}
    </div>
    <${Passkeys} onChanged=${account.reload} />
    <${Sessions} sessions=${sessions} />
  <//>`;
}

function Password({ hasOne, onDone }) {
  const [current, setCurrent] = useState("");
  const [next, setNext] = useState("");
  const [run, busy, fault] = useAction(async () => {
    await put("/account/password", { current, new: next });
    setCurrent("");
    setNext("");
    toast("The password is changed; every other browser has to sign in again.");
    onDone();
  });
  return html`<${Card} title="Password"><${Form} submit="Change the password" busy=${busy} fault=${fault} onSubmit=${run}>
    ${hasOne && html`<${Input} label="Password now" type="password" autocomplete="current-password" required value=${current} onInput=${setCurrent} />`}
    <${Input} label="New password" type="password" autocomplete="new-password" required minlength="10" value=${next} onInput=${setNext} hint="At least 10 characters; a few words make a good one." />
  <//><//>`;
}

function Passkeys({ onChanged }) {
  const found = useLoad(() => list("/account/passkeys"), []);
  const [making, setMaking] = useState(false);
  const changed = async (said) => { await found.reload(); onChanged(); toast(said); };
  const remove = async (passkey) => {
    try {
      await del(`/account/passkeys/${encodeURIComponent(passkey.id)}`);
      await changed(`${passkey.label} opens nothing any more.`);
    } catch (error) {
      toastError(error);
    }
  };
  const add = hasPasskeys() && html`<${Button} small kind="primary" icon="plus" onClick=${() => setMaking(true)}>Add a passkey<//>`;
  return html`<${Card} flush title="Passkeys" actions=${add}>
    ${found.error ? html`<div class="padded"><${LoadFault} ...${found} /></div>` : html`<${Table} label="Passkeys" items=${found.data} keyOf=${(item) => item.id} columns=${[
      { name: "Passkey", cell: (item) => html`<b class="wrap">${item.label}</b>` },
      { name: "Made", wide: true, cell: (item) => html`<span class="quiet nowrap">${ago(item.created_at)}</span>` },
      { name: "Used", cell: (item) => html`<span class="quiet nowrap">${ago(item.last_used_at)}</span>` },
      { name: "", class: "actions", cell: (item) => html`<${Button} small kind="plain" icon="trash" onClick=${() => remove(item)} aria-label=${`Remove ${item.label}`} title="Remove" />` },
    ]} empty=${html`<div class="padded"><p class="quiet">A passkey signs you in with your finger, face or PIN, in place of password and second factor. It cannot be guessed, and no false page can ask for it.</p></div>`} />`}
    ${making && html`<${NewPasskey} onDone=${changed} onClose=${() => setMaking(false)} />`}<//>`;
}

function NewPasskey({ onDone, onClose }) {
  const [label, setLabel] = useState(device(navigator.userAgent));
  const [run, busy, fault] = useAction(async () => {
    const made = await makePasskey(await post("/account/passkeys/options"));
    await post("/account/passkeys", { ...made, label });
    onClose();
    await onDone(`${label} signs you in from now on.`);
  });
  return html`<${Dialog} title="Add a passkey" onClose=${onClose}>
    <${Form} submit="Make it" busy=${busy} fault=${fault} onSubmit=${run}>
      <${Input} label="What to call it" value=${label} onInput=${setLabel} maxlength="100" required autofocus hint="Where it lies, so that you know it again." />
    <//><//>`;
}

function SecondFactor({ user, onDone }) {
  const [step, setStep] = useState(null); // {secret…}, {codes}, or "confirm"
  const [begin, beginning] = useAction(async () => {
    try {
      setStep(await post("/account/totp"));
    } catch (error) {
      toastError(error);
    }
  });
  const close = () => { setStep(null); onDone(); };
  return html`<${Card} title="Second factor" actions=${user.totp ? html`<${Badge} kind="good">on<//>` : html`<${Badge} kind="warning">off<//>`}>
    <div class="stack"><p class="quiet">${user.totp ? `Signing in asks for a code of your app. ${user.recovery_codes} of 10 recovery codes are left.`
      : "An app on your phone shows six digits; signing in asks for them. Whoever learns your password still stays outside."}</p>
    <div class="row">${user.totp ? html`<${Button} onClick=${() => setStep("codes")}>New recovery codes<//><${Button} kind="danger" onClick=${() => setStep("remove")}>Turn off<//>`
      : html`<${Button} kind="primary" busy=${beginning} onClick=${begin}>Turn on<//>`}</div></div>
    ${step?.svg && html`<${Scan} made=${step} onCodes=${(codes) => setStep({ codes })} onClose=${close} />`}
    ${step?.codes && html`<${Codes} codes=${step.codes} onClose=${close} />`}
    ${step === "codes" && html`<${Confirm} title="New recovery codes" submit="Make new codes" onClose=${close}
      work=${async (password) => setStep({ codes: (await post("/account/recovery-codes", { password })).recovery_codes })}>The old ones are of no use any more.<//>`}
    ${step === "remove" && html`<${Confirm} title="Turn the second factor off" submit="Turn off" kind="danger" onClose=${close}
      work=${async (password) => { await del("/account/totp", { password }); close(); toast("Signing in asks for the password alone now."); }}>Signing in will ask for the password alone.<//>`}
  <//>`;
}

function Scan({ made, onCodes, onClose }) {
  const [code, setCode] = useState("");
  const [run, busy, fault] = useAction(async () => onCodes((await put("/account/totp", { code })).recovery_codes));
  return html`<${Dialog} title="Scan this with your app" onClose=${onClose}>
    <div class="row"><div class="qr"><img alt="The code for your app" src=${`data:image/svg+xml,${encodeURIComponent(made.svg)}`} /></div>
      <div class="grow stack tight"><p class="quiet small">Or type this into it:</p><div class="secret">${made.secret}</div></div></div>
    <${Form} submit="Turn on" busy=${busy} fault=${fault} onSubmit=${run}>
      <${Input} label="Code that it shows" inputmode="numeric" autocomplete="one-time-code" required autofocus value=${code} onInput=${setCode} />
    <//><//>`;
}

function Codes({ codes, onClose }) {
  return html`<${Dialog} title="Recovery codes" onClose=${onClose}>
    <p>Each takes the place of a code, once: for when your phone is gone. They are shown this once.</p>
    <ul class="codes">${codes.map((code) => html`<li>${code}</li>`)}</ul>
    <footer class="row"><${CopyButton} text=${codes.join("\n")} label="Copy the codes" /><${Button} kind="primary" onClick=${onClose}>I have kept them<//></footer>
  <//>`;
}

function Confirm({ title, submit, kind, work, children, onClose }) {
  const [password, setPassword] = useState("");
  const [run, busy, fault] = useAction(() => work(password));
  return html`<${Dialog} title=${title} onClose=${onClose}><p>${children}</p>
    <${Form} submit=${submit} kind=${kind} busy=${busy} fault=${fault} onSubmit=${run}>
      <${Input} label="Your password" type="password" autocomplete="current-password" required autofocus value=${password} onInput=${setPassword} />
    <//><//>`;
}

// What a browser calls itself is long and says little: the two words that tell them apart.
function device(agent) {
  const browser = ["Firefox", "Edg", "OPR", "Chrome", "Safari", "curl"].find((name) => agent.includes(name));
  const system = ["Android", "iPhone", "iPad", "Windows", "Mac OS", "Linux"].find((name) => agent.includes(name));
  return [{ Edg: "Edge", OPR: "Opera" }[browser] ?? browser ?? "A browser", system && `on ${system}`].filter(Boolean).join(" ");
}

function Sessions({ sessions }) {
  const end = async (path, said) => {
    try {
      await del(path);
      toast(said);
      sessions.reload();
    } catch (error) {
      toastError(error);
    }
  };
  return html`<${Card} flush title="Where you are signed in" actions=${sessions.data?.length > 1 && html`<${Button} small onClick=${() => end("/account/sessions", "Every other browser is signed out.")}>Sign out everywhere else<//>`}>
    ${sessions.error ? html`<div class="padded"><${LoadFault} ...${sessions} /></div>` : html`<${Table} label="Sessions" items=${sessions.data} keyOf=${(item) => item.id} columns=${[
      { name: "Browser", cell: (item) => html`<span title=${item.user_agent}>${device(item.user_agent)}</span>${item.current ? html` <${Badge} kind="good">this one<//>` : ""}` },
      { name: "Address", wide: true, cell: (item) => html`<span class="mono">${item.address}</span>` },
      { name: "Signed in", wide: true, cell: (item) => html`<span class="quiet nowrap">${ago(item.created_at)}</span>` },
      { name: "Seen", cell: (item) => html`<span class="quiet nowrap">${ago(item.last_seen_at)}</span>` },
      { name: "", class: "actions", cell: (item) => !item.current && html`<${Button} small onClick=${() => end(`/account/sessions/${item.id}`, "That browser is signed out.")} aria-label=${`Sign out ${device(item.user_agent)}`}>Sign out<//>` },
    ]} />`}<//>`;
}
