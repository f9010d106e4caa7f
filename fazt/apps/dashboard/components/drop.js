// Where a folder or an archive is dropped to become the next version of a site.
//
//   DropZone({site, live, limits, onDeployed(deployed)})     live: the id of the live version, or null
//
// Rule: what looks like a site is deployed at once, since one click takes it back; what does not is asked about first.

import { send } from "../deploy.js";
import { chosen, doubts, dropped, totalBytes } from "../folder.js";
import { bytes, count, plural, safeUrl, shortId } from "../format.js";
import { html, useRef, useState } from "../vendor/preact.js";
import { CliLine, quote } from "./cli.js";
import { Button, Check, Input } from "./form.js";
import { Icon } from "./icons.js";

export function DropZone({ site, live, limits = {}, onDeployed }) {
  const [state, setState] = useState({ step: "idle" });
  const [message, setMessage] = useState("");
  const [preview, setPreview] = useState(false);
  const sending = useRef(null);

  const deploy = async (source) => {
    const started = send(site, source, { message, preview, onProgress: (progress) => setState({ step: "sending", source, progress }) });
    sending.current = started;
    setState({ step: "sending", source, progress: { sent: 0, total: 0 } });
    try {
      const made = await started.done;
      setState({ step: "done", made, source });
      setMessage("");
      onDeployed?.(made);
    } catch (error) {
      setState(error.code === "stopped" ? { step: "idle", note: error.message } : { step: "refused", error, source });
    }
  };
  const take = async (finding) => {
    setState({ step: "reading", files: 0 });
    try {
      const source = await finding((files) => setState({ step: "reading", files }));
      const said = doubts(source, limits);
      if (source.archive || (source.files.length && !said.length)) await deploy(source);
      else setState({ step: "asking", source, doubts: said });
    } catch {
      setState({ step: "refused", error: new Error("The folder could not be read. Is it still there, and may the browser read it?") });
    }
  };
  const busy = state.step === "reading" || state.step === "sending";
  return html`<div class="stack">
    <${Target} busy=${busy} onFound=${take}>
      <${Face} state=${state} live=${live} preview=${preview} onStop=${() => sending.current?.stop()}
        onYes=${() => deploy(state.source)} onNo=${() => setState({ step: "idle" })} onFound=${take} />
    <//>
    <details class="commands"><summary class="quiet small">Message, preview, command line</summary>
      <div class="stack">
        <${Input} label="Message" hint="A note that is kept with the version." value=${message} onInput=${setMessage} maxlength="500" disabled=${busy} />
        <${Check} label="Only a preview" hint="It gets an address of its own; the live version stays." checked=${preview} onChange=${setPreview} disabled=${busy} />
        <${CliLine} command=${`fazt deploy . --site ${quote(site)}${preview ? " --preview" : ""}${message ? ` -m ${quote(message)}` : ""}`} />
      </div>
    </details>
  </div>`;
}

function Target({ busy, onFound, children }) {
  const [depth, setDepth] = useState(0); // entering a child fires before leaving its parent
  const over = (event) => {
    if (!busy && event.dataTransfer?.types.includes("Files")) event.preventDefault();
  };
  const drop = (event) => {
    setDepth(0);
    if (busy || !event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    const { dataTransfer } = event;
    onFound((onCount) => dropped(dataTransfer, onCount)); // calls it at once: what it holds is gone after the event
  };
  return html`<div class=${`drop deploy-drop ${depth > 0 && !busy ? "over" : ""}`} data-testid="drop" onDragOver=${over} onDrop=${drop}
    onDragEnter=${() => setDepth((before) => before + 1)} onDragLeave=${() => setDepth((before) => Math.max(before - 1, 0))}>${children}</div>`;
}

function Face({ state, live, preview, onStop, onYes, onNo, onFound }) {
  switch (state.step) {
    case "reading":
      return html`<${Steps} icon="folder" title="Reading the folder…" text=${state.files ? plural(state.files, "file") : " "} />`;
    case "sending":
      return html`<${Sending} state=${state} onStop=${onStop} />`;
    case "asking":
      return html`<${Asking} state=${state} onYes=${onYes} onNo=${onNo} />`;
    case "refused":
      return html`<${RefusedFace} error=${state.error} onNo=${onNo} onAgain=${state.source ? onYes : null} />`;
    case "done":
      return html`<${Done} made=${state.made} source=${state.source} onNo=${onNo} />`;
    default:
      return html`<${Idle} live=${live} preview=${preview} note=${state.note} onFound=${onFound} />`;
  }
}

function Steps({ icon, title, text, children }) {
  return html`<${Icon} name=${icon} /><h2><span role="status">${title}</span></h2><p class="quiet wrap">${text}</p>${children}`;
}

function Idle({ live, preview, note, onFound }) {
  const folder = useRef(null);
  const files = useRef(null);
  const pick = (event) => {
    const list = [...event.target.files];
    event.target.value = ""; // the same folder can be chosen again
    if (list.length) onFound(async (onCount) => chosen(list, onCount));
  };
  return html`<${Steps} icon="upload" title=${live ? "Drop a folder here to deploy it" : "Drop your site's folder here"}
    text=${note ?? (preview ? "It becomes a preview; the live version stays." : "Or a ZIP or tar. Visitors see the new version when it is complete, and one click takes it back.")}>
    <div class="row middle">
      <${Button} kind="primary" icon="folder" onClick=${() => folder.current.click()}>Choose a folder<//>
      <${Button} icon="file" onClick=${() => files.current.click()}>Choose an archive<//>
    </div>
    <input type="file" ref=${folder} onChange=${pick} webkitdirectory hidden aria-label="A folder to deploy" data-testid="folder" />
    <input type="file" ref=${files} onChange=${pick} accept=".zip,.tar,.gz,.tgz,.bz2,.xz" hidden aria-label="An archive to deploy" data-testid="archive" />
  <//>`;
}

function Sending({ state: { source, progress }, onStop }) {
  const { sent, total } = progress;
  const part = total ? Math.round((sent / total) * 100) : 0;
  const whole = total > 0 && sent >= total;
  const what = source.archive ? source.archive.name : plural(source.files.length, "file");
  return html`<${Steps} icon="upload" title=${whole ? "The server puts it together…" : `Sending ${what}`}
    text=${total ? `${bytes(sent)} of ${bytes(total)}` : " "}>
    <div class="progress" role="progressbar" aria-valuenow=${part} aria-valuemin="0" aria-valuemax="100" aria-label="Sent">
      <div style=${{ width: `${part}%` }}></div></div>
    <${Button} small onClick=${onStop} disabled=${whole}>Stop<//>
  <//>`;
}

function Asking({ state: { source, doubts: said }, onYes, onNo }) {
  const text = source.files.length
    ? `${plural(source.files.length, "file")}, ${bytes(totalBytes(source.files))}${source.leftOut ? `; ${count(source.leftOut)} left out` : ""}.`
    : " ";
  return html`<${Steps} icon="warning" title=${source.files.length ? "Is this what you mean?" : "There is nothing to deploy"} text=${text}>
    <ul class="plain-list">${said.map((each) => html`<li class="wrap">${each}</li>`)}</ul>
    <div class="row middle">
      ${source.files.length > 0 && html`<${Button} kind="primary" onClick=${onYes}>Deploy it anyway<//>`}
      <${Button} onClick=${onNo}>${source.files.length ? "No" : "Choose another"}<//>
    </div>
  <//>`;
}

function RefusedFace({ error, onNo, onAgain }) {
  return html`<${Icon} name="warning" /><h2>Not deployed</h2>
    <div class="notice danger refused" role="alert"><pre class="wrap">${error.message}</pre></div>
    <p class="quiet small">Nothing was changed: visitors see what they saw before.</p>
    <div class="row middle"><${Button} kind="primary" onClick=${onNo}>Choose again<//>
      ${onAgain && html`<${Button} onClick=${onAgain}>Send it again<//>`}</div>`;
}

function Done({ made, source, onNo }) {
  const { added = 0, changed = 0, removed = 0 } = made.diff ?? {};
  const url = safeUrl(made.live ? made.url : made.preview_url);
  const title = made.unchanged ? "Nothing has changed" : made.live ? "It is live" : "The preview is ready";
  const text = made.unchanged
    ? "This is what is live already."
    : `${plural(made.files, "file")}, ${bytes(made.bytes)}: ${count(added)} new, ${count(changed)} changed, ${count(removed)} removed${source.leftOut ? `; ${count(source.leftOut)} left out` : ""}.`;
  return html`<${Steps} icon="check" title=${title} text=${text}>
    ${made.warnings?.length > 0 && html`<ul class="plain-list warning-text">${made.warnings.map((each) => html`<li class="wrap">${each}</li>`)}</ul>`}
    <div class="row middle">
      ${url && html`<${Button} kind="primary" href=${url} target="_blank" rel="noreferrer" icon="out">Look at it<//>`}
      <${Button} onClick=${onNo}>Deploy another<//>
    </div>
    ${made.version && html`<p class="quiet small">Version <span class="mono">${shortId(made.version)}</span></p>`}
  <//>`;
}
