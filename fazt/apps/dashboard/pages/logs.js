// The log of the whole server, as it happens.
import { Page } from "../components/table.js";
import { html } from "../vendor/preact.js";
import SiteLogs from "./site/logs.js";

export default function Logs() {
  return html`<${Page} title="Logs" about="Requests, calls of functions, what they print, and errors of the whole server."><${SiteLogs} site=${{ name: undefined }} /><//>`;
}
