// A protected site sent somebody here: whoever is signed in may go back with a pass, after a look at where that leads.
import { post } from "../api.js";
import { Button, Fault, useAction } from "../components/form.js";
import { Card, Page } from "../components/table.js";
import { query } from "../router.js";
import { html } from "../vendor/preact.js";

export default function Allow({ session }) {
  const wanted = query();
  const [site, host, back] = ["site", "host", "return"].map((name) => wanted.get(name) ?? "");
  const [run, busy, fault] = useAction(async () => {
    const { url } = await post(`/sites/${encodeURIComponent(site)}/pass`, { host: host || null, return: back || "/" });
    if (/^https?:\/\//.test(url)) location.assign(url);
  });
  return html`<${Page} title=${`Open ${site}`}><${Card} label="Open the site"><div class="stack">
    <p>The site <b>${site}</b> at <span class="mono wrap">${host}</span> is for people with an account here. Go there as <b>${session.user.name}</b>?</p>
    ${fault && html`<${Fault} error=${fault} />`}
    <div class="row"><${Button} kind="primary" busy=${busy} onClick=${run}>Open the site<//><${Button} href="#/overview">Stay here<//></div>
  </div><//><//>`;
}
