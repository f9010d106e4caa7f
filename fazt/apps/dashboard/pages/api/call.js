// A call to the admin API, filled in and sent as who is signed in; what came back; and the same with curl.
import { request } from "../../api.js";
import { CliLine, quote } from "../../components/cli.js";
import { ConfirmByName } from "../../components/dialog.js";
import { Button, Fault, Field, Input, TextArea, useAction } from "../../components/form.js";
import { Badge } from "../../components/table.js";
import { bytes, milliseconds } from "../../format.js";
import { html, useState } from "../../vendor/preact.js";
import { exampleOf, textOf } from "./schema.js";

const MOST_SHOWN = 200_000;
const LONG = ["path", "key"]; // with slashes in them
const LONGEST_MS = 10_000; // of an answer that goes on and on

export function TryCall({ call, described }) {
  const { method, path, operation } = call;
  const [given, setGiven] = useState({});
  const kinds = Object.entries(operation.requestBody?.content ?? {});
  const json = kinds.find(([kind]) => kind === "application/json")?.[1].schema;
  const [body, setBody] = useState(json ? JSON.stringify(exampleOf(json, described), null, 2) : "");
  const [file, setFile] = useState(null);
  const [answer, setAnswer] = useState(null);
  const [asking, setAsking] = useState(false);
  const send = async () => setAnswer(await ask(call, given, json ? checked(body) : undefined, file, kinds[0]?.[0]));
  const [run, busy, fault] = useAction(send);
  const parameters = operation.parameters ?? [];
  const set = (name) => (value) => setGiven({ ...given, [name]: value });
  return html`
    <form class="stack" onSubmit=${(event) => { event.preventDefault(); method === "DELETE" ? setAsking(true) : run(); }}>
      ${parameters.length > 0 && html`<div class="api-fields">${parameters.map((each) => html`<${Input} key=${each.name} label=${each.name} hint=${hintOf(each, described)}
        value=${given[each.name] ?? ""} onInput=${set(each.name)} required=${each.required} spellcheck=${false} autocomplete="off" />`)}</div>`}
      ${json && html`<${TextArea} label="Body" value=${body} onInput=${setBody} spellcheck=${false} rows=${Math.min(14, body.split("\n").length + 1)} class="input mono" />
        <details class="commands"><summary class="quiet small">What the body may have</summary><pre class="code" tabindex="0">${textOf(json, described)}</pre></details>`}
      ${kinds.length > 0 && !json && html`<${Field} label=${`Body: ${kinds.map(([kind]) => kind).join(" or ")}`}>${(more) => html`<input type="file" class="input" required onChange=${(event) => setFile(event.target.files[0])} ...${more} />`}<//>`}
      <details class="commands"><summary class="quiet small">What it answers</summary>${answersOf(operation).map(([status, schema]) => html`
        <h3>${status}</h3><pre class="code" tabindex="0">${schema ? textOf(schema, described) : "nothing, or no JSON"}</pre>`)}</details>
      ${fault && html`<${Fault} error=${fault} />`}
      <div class="row"><${Button} type="submit" kind=${method === "GET" ? "primary" : method === "DELETE" ? "danger" : "primary"} busy=${busy}>${method === "GET" ? "Ask" : "Send"}<//>
        ${method !== "GET" && html`<span class="quiet small">This is done for real, as you.</span>`}</div>
      <${CliLine} command=${curlOf(call, given, json && body, kinds[0]?.[0])} />
    </form>
    ${answer && html`<${Answer} answer=${answer} />`}
    ${asking && html`<${ConfirmByName} title=${`${method} ${filled(path, given)}`} name=${decodeURIComponent(filled(path, given).split("/").at(-1))} action="Send" onConfirm=${send} onClose=${() => setAsking(false)}>
      What this deletes is deleted; not all of it can be brought back.<//>`}`;
}

function Answer({ answer }) {
  const kind = answer.status >= 500 ? "danger" : answer.status >= 400 ? "warning" : "good";
  return html`<div class="stack answer" data-testid="answer" aria-live="polite">
    <div class="row"><${Badge} kind=${kind}>${answer.status}<//><span class="quiet small">${milliseconds(answer.took)}${answer.broken ? ", broken off: it goes on and on, or is long" : ""}</span></div>
    <pre class="code" tabindex="0">${answer.text || "(nothing)"}</pre>
  </div>`;
}

async function ask({ method, path, operation }, given, json, file, kind) {
  const address = filled(path, given).replace(/^\/api/, "");
  checkSteps(address);
  const params = Object.fromEntries((operation.parameters ?? []).filter((each) => each.in === "query").map(({ name }) => [name, given[name]]));
  const headers = {};
  for (const { name } of (operation.parameters ?? []).filter((each) => each.in === "header")) if (given[name]) headers[name] = given[name];
  if (file) headers["Content-Type"] = kind;
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), LONGEST_MS);
  const began = performance.now();
  try {
    const response = await request(method, address, { params, headers, body: file ?? json, signal: stop.signal });
    return { status: response.status, ...(await read(response, stop)), took: performance.now() - began };
  } catch (error) {
    if (!error.status) throw error;
    return { status: error.status, text: JSON.stringify({ error: { code: error.code, message: error.message, ...error.details } }, null, 2), took: performance.now() - began };
  } finally {
    clearTimeout(timer);
  }
}

async function read(response, stop) {
  const type = response.headers.get("content-type") ?? "";
  const pieces = [];
  let size = 0;
  let broken = false;
  try {
    for (const reader = response.body?.getReader(); reader; ) {
      const { value, done } = await reader.read();
      if (done) break;
      pieces.push(value);
      size += value.length;
      if (size > MOST_SHOWN) {
        stop.abort();
        broken = true;
        break;
      }
    }
  } catch (error) {
    if (error.name !== "AbortError") throw error;
    broken = true;
  }
  const whole = await new Blob(pieces).text();
  if (/octet-stream|x-tar/.test(type)) return { text: `${bytes(size)} that are no text`, broken };
  return { text: /application\/json/.test(type) && !broken ? JSON.stringify(JSON.parse(whole), null, 2) : whole, broken };
}

function checked(text) {
  try {
    return text.trim() === "" ? undefined : JSON.parse(text);
  } catch (error) {
    throw new Error(`The body is not JSON: ${error.message}`);
  }
}

// The path with what was typed in it; files and keys keep their slashes.
function filled(path, given) {
  return path.replace(/\{(\w+)\}/g, (whole, name) => {
    if (!given[name]) return whole;
    return LONG.includes(name) ? given[name].split("/").map(encodeURIComponent).join("/") : encodeURIComponent(given[name]);
  });
}

// A browser takes . and .. for steps in the path, however they are encoded: another call would be sent.
function checkSteps(address) {
  if (address.split("/").some((part) => part === "." || part === "..")) throw new Error("A browser cannot send a path with . or .. in it.");
}

function hintOf({ required, schema, description, in: where }, described) {
  const kind = textOf(schema, described).replace(/\s+/g, " ");
  return [description, `${kind}${required ? "" : ", optional"}${where === "header" ? ", a header" : ""}`].filter(Boolean).join(" ");
}

function answersOf(operation) {
  return Object.entries(operation.responses).filter(([status]) => status.startsWith("2"))
    .map(([status, response]) => [status, response.content?.["application/json"]?.schema]);
}

function curlOf({ method, path, operation }, given, body, kind) {
  const query = (operation.parameters ?? []).filter((each) => each.in === "query" && given[each.name]).map(({ name }) => `${name}=${encodeURIComponent(given[name])}`);
  const words = ["curl", ...(method === "GET" ? [] : ["-X", method]), quote(`${location.origin}${filled(path, given)}${query.length ? `?${query.join("&")}` : ""}`), "-H", '"Authorization: Bearer $FAZT_TOKEN"'];
  for (const { name } of (operation.parameters ?? []).filter((each) => each.in === "header")) if (given[name]) words.push("-H", quote(`${name}: ${given[name]}`));
  if (kind) words.push("-H", quote(`Content-Type: ${kind}`));
  if (body) words.push("-d", quote(body.replace(/\n\s*/g, " ")));
  else if (kind) words.push("--data-binary", "@FILE");
  return words.join(" ");
}
