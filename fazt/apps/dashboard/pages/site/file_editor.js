// One file of a site in the editor: read, changed, saved as a version, and what happens when somebody was faster.

import { get } from "../../api.js";
import { CopyButton } from "../../components/cli.js";
import { Dialog } from "../../components/dialog.js";
import { Editor } from "../../components/editor.js";
import { Button, Fault, useAction } from "../../components/form.js";
import { toast, toastError } from "../../components/toast.js";
import { shortId } from "../../format.js";
import { html, useEffect, useRef, useState } from "../../vendor/preact.js";
import { draftOf, dropDraft, Faster, faultsOf, keepDraft, readFile, writeFile } from "./file_store.js";
import { at, may, takeBack, When } from "./parts.js";

const isMac = /mac|iphone|ipad/i.test(navigator.platform);

// `text`: what is stored (null: the file is new). `version`: the one it was read from, null where the site has none.
export function FileEditor({ site, path, text, version, editable, reload, onSaved }) {
  const kept = draftOf(site.name, path);
  const [base, setBase] = useState(kept?.base ?? version);
  const [stored, setStored] = useState(kept ? kept.stored : text);
  const [draft, setDraft] = useState(kept?.text ?? text ?? "");
  const [given, setGiven] = useState({ text: draft }); // what the editor is to show
  const [faster, setFaster] = useState(null);
  const [faults, setFaults] = useState([]);
  const latest = useRef(draft);
  const isDirty = draft !== (stored ?? "") || stored === null;

  useEffect(() => {
    if (editable && draft !== (stored ?? "")) keepDraft(site.name, path, { text: draft, stored, base });
    else dropDraft(site.name, path);
  }, [draft, stored, base]);
  // What somebody saved while nothing was changed here is simply shown; a key that is not drawn yet is a change too.
  useEffect(() => {
    if (latest.current !== (stored ?? "")) return;
    if (text !== stored) take(text, version);
    else setBase(version);
  }, [text, version]);

  const take = (next, from) => {
    latest.current = next ?? "";
    setStored(next);
    setDraft(latest.current);
    setGiven({ text: latest.current });
    setBase(from);
    setFaults([]);
  };
  const write = async (onto, seen) => {
    const sent = latest.current;
    const made = await writeFile(site.name, path, new Blob([sent]), onto, seen);
    setStored(sent);
    setBase(made.version ?? onto);
    setFaults([]);
    setFaster(null);
    dropDraft(site.name, path);
    await reload();
    onSaved?.(made);
    toast(made.unchanged ? "Nothing had changed." : `${path} is live in version ${shortId(made.version)}.`, {
      undo: !made.unchanged && made.onto ? takeBack(site.name, made.version, made.onto, reload) : undefined,
    });
  };
  const [save, busy, fault] = useAction(async () => {
    if (!isDirty || !editable) return;
    try {
      await write(base, stored);
    } catch (error) {
      if (error instanceof Faster) setFaster(error.version);
      else {
        setFaults(faultsOf(error, path));
        throw error;
      }
    }
  });
  const change = (next) => {
    latest.current = next;
    setDraft(next);
  };
  const theirs = async () => {
    const found = await readFile(site.name, faster.id, path);
    take(found?.text ?? null, faster.id);
    setFaster(null);
    reload();
  };
  return html`<div class="stack tight file-editor">
    <div class="row spread editor-bar">
      <span class="quiet small" role="status">${!editable ? "Read only" : busy ? "Saving…" : stored === null ? "Not there yet: saving makes it" : isDirty ? "Changed, not saved" : "Saved"}</span>
      ${editable && html`<div class="row">
        ${isDirty && stored !== null && html`<${Button} small kind="plain" onClick=${() => take(stored, base)}>Discard<//>`}
        <${Button} small kind="primary" busy=${busy} disabled=${!isDirty} onClick=${save}>Save <kbd class="only-wide">${isMac ? "⌘S" : "Ctrl S"}</kbd><//>
      </div>`}
    </div>
    <${Editor} path=${path} given=${given} faults=${faults} readOnly=${!editable} label=${`Text of ${path}`} onChange=${change} onSave=${save} />
    ${fault && (faults.length ? html`<${Faults} path=${path} faults=${faults} />` : html`<${Fault} error=${fault} />`)}
    ${faster && html`<${Conflict} path=${path} version=${faster} mine=${draft} onTheirs=${theirs} onMine=${() => write(faster.id)} onClose=${() => setFaster(null)} onLater=${setFaster} />`}
  </div>`;
}

function Faults({ path, faults }) {
  return html`<div class="notice danger" role="alert"><div><b>Not saved. Nothing was changed.</b>
    <ul class="plain-list">${faults.map((fault) => html`<li key=${fault.line + fault.message}><span class="mono">${path}:${fault.line}</span> ${fault.message}</li>`)}</ul></div></div>`;
}

function Conflict({ path, version, mine, onTheirs, onMine, onClose, onLater }) {
  const attempt = (work) => async () => {
    try {
      await work();
    } catch (error) {
      if (error instanceof Faster) onLater(error.version);
      else toastError(error);
    }
  };
  const [load, loading] = useAction(attempt(onTheirs));
  const [over, saving] = useAction(attempt(onMine));
  return html`<${Dialog} title="Somebody was faster" onClose=${onClose}>
    <p>While you were editing <b class="mono wrap">${path}</b>, another version went live. What you wrote is still here, and nothing of theirs is lost.</p>
    <dl class="facts">
      <dt>Version</dt><dd class="mono">${shortId(version.id)}</dd>
      <dt>Message</dt><dd>${version.message || html`<span class="quiet">none</span>`}</dd>
      <dt>From</dt><dd>${version.source || "–"}</dd>
      <dt>When</dt><dd><${When} time=${version.created_at} /></dd>
    </dl>
    <footer>
      <${CopyButton} text=${mine} label="Copy mine" />
      <${Button} onClick=${onClose}>Keep editing<//>
      <${Button} busy=${loading} onClick=${load}>Load theirs<//>
      <${Button} kind="primary" busy=${saving} onClick=${over}>Save mine over it<//>
    </footer>
  <//>`;
}

// The text of a file of the live version, ready to be edited: what the editor needs, loaded.
export async function liveText(site, path) {
  if (!site.live_version) return { text: null, version: null };
  const version = (await get(at(site.name))).live_version;
  const found = await readFile(site.name, version, path);
  return { text: found === null ? null : found.text, version, isBinary: found !== null && found.text === null };
}

export const isEditable = (site) => may("deploy") && !site.locked;
