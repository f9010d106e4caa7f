// Signing in, the owner's first visit, and the redemption of an invite.
import { keepSession, post } from "../api.js";
import { Button, Fault, Form, Input, useAction } from "../components/form.js";
import { Gate } from "../components/layout.js";
import { hasPasskeys, makePasskey, usePasskey } from "../passkey.js";
import { html, useState } from "../vendor/preact.js";

export function SignIn({ onDone }) {
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [code, setCode] = useState("");
  const [needsCode, setNeedsCode] = useState(false);
  const [run, busy, fault] = useAction(async () => {
    try {
      keepSession(await post("/session", { name, password, ...(needsCode ? { code } : {}) }));
      onDone();
    } catch (error) {
      if (error.code !== "code_required") throw error;
      setNeedsCode(true);
    }
  });
  const [byPasskey, waiting, refused] = useAction(async () => {
    keepSession(await post("/session/passkey", await usePasskey(await post("/session/passkey/options"))));
    onDone();
  });
  return html`<${Gate} title=${needsCode ? "One more step" : "Sign in"}>
    <${Form} submit="Sign in" busy=${busy} fault=${fault} onSubmit=${run}>
      ${!needsCode && html`<${Input} label="Name" name="username" autocomplete="username" autocapitalize="none" spellcheck=${false} required autofocus value=${name} onInput=${setName} />
      <${Input} label="Password" name="password" type="password" autocomplete="current-password" required value=${password} onInput=${setPassword} />`}
      ${needsCode && html`<${Input} label="Code" name="code" inputmode="text" autocomplete="one-time-code" required autofocus value=${code} onInput=${setCode}
        hint="Six digits from your app, or one of your recovery codes." />`}
    <//>
    ${!needsCode && hasPasskeys() && html`<div class="stack tight">
      <${Button} icon="key" busy=${waiting} onClick=${byPasskey}>Sign in with a passkey<//>
      ${refused && html`<${Fault} error=${refused} />`}</div>`}
    <p class="quiet small">Forgotten? On the server: <code>fazt user passwd ${name || "NAME"}</code></p>
  <//>`;
}

export function Setup({ secret, onDone }) {
  return html`<${NewAccount} title="Make this server yours" path="/setup" secret=${secret} submit="Create the owner's account" onDone=${onDone}>
    You are the first one here. Choose the name and the password of the owner's account.
  <//>`;
}

export function Invite({ secret, onDone }) {
  return html`<${NewAccount} title="You are invited" path="/invites/redeem" secret=${secret} submit="Create my account" onDone=${onDone}>
    Choose a name and a password. This link makes one account.
  <//>`;
}

function NewAccount({ title, path, secret, submit, onDone, children }) {
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [again, setAgain] = useState("");
  const [run, busy, fault] = useAction(async () => {
    if (password !== again) throw new Error("The two passwords differ.");
    keepSession(await post(path, { secret, name, password }));
    onDone();
  });
  const [byPasskey, waiting, refused] = useAction(async () => {
    if (!name.trim()) throw new Error("Choose a name first.");
    keepSession(await post(path, { secret, name, ...(await makePasskey(await post("/setup/passkey/options", { secret, name }))) }));
    onDone();
  });
  return html`<${Gate} title=${title}>
    <p class="quiet">${children}</p>
    <${Form} submit=${submit} busy=${busy} fault=${fault} onSubmit=${run}>
      <${Input} label="Name" name="username" autocomplete="username" autocapitalize="none" spellcheck=${false} required autofocus value=${name} onInput=${setName} />
      <${Input} label="Password" name="password" type="password" autocomplete="new-password" required minlength="10" value=${password} onInput=${setPassword}
        hint="At least 10 characters; a few words make a good one." />
      <${Input} label="Password, once more" name="again" type="password" autocomplete="new-password" required value=${again} onInput=${setAgain} />
    <//>
    ${hasPasskeys() && html`<div class="stack tight">
      <${Button} icon="key" busy=${waiting} onClick=${byPasskey}>Use a passkey instead of a password<//>
      ${refused && html`<${Fault} error=${refused} />`}
      <p class="quiet small">Your finger, face or PIN on this device, or a security key. Nothing to remember, and nothing that can be stolen from the server.</p></div>`}
  <//>`;
}

export function NotSetUp() {
  return html`<${Gate} title="Not set up yet">
    <p>Nobody owns this server yet. Open the link that <code>fazt serve</code> printed when it started, or make a new one on the server:</p>
    <pre class="code">fazt init</pre>
  <//>`;
}
