// The "try it" console: a request to a function of the site, made by the server itself, and all there is to know of it.

import { post } from "../../api.js";
import { CliLine, quote } from "../../components/cli.js";
import { Button, Fault, Input, Select, TextArea, useAction } from "../../components/form.js";
import { Badge, Card } from "../../components/table.js";
import { bytes, milliseconds } from "../../format.js";
import { html, useEffect, useState } from "../../vendor/preact.js";
import { at, may } from "./parts.js";

const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"].map((each) => [each, each]);

export function TryConsole({ site, chosen }) {
  const [method, setMethod] = useState("GET");
  const [path, setPath] = useState(chosen);
  const [headers, setHeaders] = useState("");
  const [body, setBody] = useState("");
  const [answer, setAnswer] = useState(null);
  useEffect(() => setPath(chosen), [chosen]);
  const [run, busy, fault] = useAction(async () => {
    const fields = headersOf(headers);
    const isJson = body.trim() !== "" && /^[[{"]/.test(body.trim());
    if (isJson && !fields.some(([name]) => name.toLowerCase() === "content-type")) fields.push(["content-type", "application/json"]);
    setAnswer(await post(at(site.name, "call"), { path, method, headers: fields, body: hasBody(method) ? body : "" }));
  });
  const command = commandOf(site.name, { method, path, headers, body });
  if (!may("deploy")) return null;
  return html`<${Card} title="Try it">
    <form class="stack" onSubmit=${(event) => { event.preventDefault(); run(); }}>
      <div class="try-line row">
        <${Select} label="Method" value=${method} onChange=${setMethod} options=${METHODS} />
        <div class="grow"><${Input} label="Path" value=${path} onInput=${setPath} spellcheck=${false} autocomplete="off" required pattern="/api/.*" title="Begins with /api/" /></div>
        <${Button} type="submit" kind="primary" busy=${busy}>${busy ? "Calling…" : "Call"}<//>
      </div>
      <details class="commands" open=${hasBody(method)}><summary class="quiet small">Headers and body</summary>
        <div class="stack">
          <${TextArea} label="Headers" hint="One a line: Name: value" value=${headers} onInput=${setHeaders} spellcheck=${false} rows="2" />
          ${hasBody(method) && html`<${TextArea} label="Body" value=${body} onInput=${setBody} spellcheck=${false} rows="5" />`}
        </div>
      </details>
      ${fault && html`<${Fault} error=${fault} />`}
      <${CliLine} command=${command} />
    </form>
    ${answer && html`<${Answer} answer=${answer} />`}
  <//>`;
}

const hasBody = (method) => !["GET", "HEAD", "OPTIONS"].includes(method);

function headersOf(text) {
  return text.split("\n").map((line) => line.trim()).filter(Boolean).map((line) => {
    const colon = line.indexOf(":");
    if (colon < 1) throw new Error(`This is no header: ${line}. Write Name: value.`);
    return [line.slice(0, colon).trim(), line.slice(colon + 1).trim()];
  });
}

function commandOf(site, { method, path, headers, body }) {
  const words = ["fazt", "call", quote(site), quote(path)];
  if (method !== (body && hasBody(method) ? "POST" : "GET")) words.push("-X", method);
  for (const line of headers.split("\n").filter((each) => each.trim())) words.push("-H", quote(line.trim()));
  if (body && hasBody(method)) words.push("-d", quote(body));
  return words.join(" ");
}

// What a call answered: status, what it took, body, headers, what it logged, and where it failed.
export function Answer({ answer }) {
  const kind = answer.status >= 500 || answer.error ? "danger" : answer.status >= 400 ? "warning" : "good";
  return html`<div class="stack answer" data-testid="answer" aria-live="polite">
    <div class="row"><${Badge} kind=${kind}>${answer.status || "failed"}<//>
      <span class="quiet small">${milliseconds(answer.duration_us / 1000)}, CPU ${milliseconds(answer.cpu_us / 1000)}${answer.memory_bytes ? `, ${bytes(answer.memory_bytes)}` : ""}</span>
      <span class="quiet small mono">${answer.call}</span></div>
    ${answer.broken_off && html`<div class="notice warning">The answer broke off: ${answer.broken_off}</div>`}
    <${Failure} call=${answer} />
    <${Console} logs=${answer.logs} />
    ${answer.body !== undefined && html`<div class="stack tight"><h3>Body</h3><pre class="code" tabindex="0">${bodyText(answer)}</pre></div>`}
    ${answer.headers?.length > 0 && html`<details class="commands"><summary class="quiet small">Headers</summary><pre class="code">${answer.headers.map(([name, value]) => `${name}: ${value}`).join("\n")}</pre></details>`}
  </div>`;
}

export function Failure({ call }) {
  const { failure, error } = call;
  if (!failure && !error) return null;
  return html`<div class="notice danger"><div class="stack tight grow"><b class="wrap">${failure ? `${failure.name}: ${failure.message}` : error}</b>
    ${failure?.stack && html`<pre class="stack-trace">${failure.stack}</pre>`}</div></div>`;
}

export function Console({ logs }) {
  if (!logs?.length) return null;
  return html`<div class="stack tight"><h3>Console</h3><ol class="code console-lines">${logs.map((line, index) => html`<li key=${index}>
    <${Badge} kind=${{ error: "danger", warn: "warning" }[line.level] ?? ""}>${line.level}<//> <span class="wrap">${line.message}</span></li>`)}</ol></div>`;
}

function bodyText({ body, encoding, headers }) {
  if (encoding === "base64") return `${bytes(Math.floor((body.length * 3) / 4))} that are no text`;
  const type = headers?.find(([name]) => name.toLowerCase() === "content-type")?.[1] ?? "";
  if (/json/i.test(type)) {
    try {
      return JSON.stringify(JSON.parse(body), null, 2);
    } catch {
      return body;
    }
  }
  return body || "(empty)";
}
