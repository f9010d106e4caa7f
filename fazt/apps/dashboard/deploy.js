// Sends a folder or an archive to the server as the next version of a site, and says how far it is.
// Rule: what the server refuses is said in its own words.

import { totalBytes } from "./folder.js";
import { tar } from "./tar.js";

const TYPES = { zip: "application/zip", tar: "application/x-tar" };

function typeOf(name) {
  return TYPES[name.toLowerCase().split(".").pop()] ?? "application/octet-stream";
}

export class Refused extends Error {
  constructor(status, error) {
    super(error?.message ?? `The server answered ${status}.`);
    Object.assign(this, { status, code: error?.code ?? "internal_error", details: error ?? {} });
  }
}

// `source`: what folder.js found. Returns { done: promise of the deployed version, stop() }; done rejects with Refused.
export function send(site, source, { message = "", preview = false, onProgress } = {}) {
  const body = source.archive ?? tar(source.files);
  const type = source.archive ? typeOf(source.archive.name) : body.type;
  const query = new URLSearchParams();
  if (message) query.set("message", message);
  if (preview) query.set("preview", "true");
  const request = new XMLHttpRequest(); // fetch tells nothing about how far an upload is
  const done = new Promise((resolve, reject) => {
    request.upload.onprogress = ({ loaded }) => onProgress?.({ sent: loaded, total: body.size });
    request.upload.onload = () => onProgress?.({ sent: body.size, total: body.size });
    request.onload = () => {
      const answer = parse(request.responseText);
      if (request.status >= 200 && request.status < 300) resolve(answer);
      else reject(new Refused(request.status, answer?.error));
    };
    request.onerror = () => reject(new Refused(0, { code: "not_sent", message: notSent(source) }));
    request.onabort = () => reject(new Refused(0, { code: "stopped", message: "Stopped. Nothing was changed." }));
  });
  request.open("POST", `/api/sites/${encodeURIComponent(site)}/upload?${query}`);
  request.setRequestHeader("Content-Type", type);
  request.setRequestHeader("Fazt-Request", "1");
  request.send(body);
  return { done, stop: () => request.abort(), bytes: source.archive ? body.size : totalBytes(source.files) };
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function notSent(source) {
  const what = source.archive ? "The archive" : "The files";
  return `${what} could not be sent: the server was not reached, or a file was changed meanwhile. Nothing was changed.`;
}
