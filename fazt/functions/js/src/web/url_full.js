// The whole URL parser, by whatwg-url: for every URL that the fast path of url.js does not take.
//
// Rule: url.js sees only parts, strings that are serialised already.

import {
  basicURLParse,
  cannotHaveAUsernamePasswordPort,
  hasAnOpaquePath,
  serializeHost,
  serializePath,
  serializeURL,
  setThePassword,
  setTheUsername,
} from "whatwg-url/lib/url-state-machine.js";

function toParts(record) {
  return {
    href: serializeURL(record),
    scheme: record.scheme,
    username: record.username,
    password: record.password,
    host: record.host === null ? null : serializeHost(record.host),
    port: record.port === null ? "" : `${record.port}`,
    pathname: serializePath(record),
    query: record.query,
    fragment: record.fragment,
    opaque: hasAnOpaquePath(record),
  };
}

// The parts of a URL, or null; `base` is the href of a URL that parsed before.
export function parse(input, base) {
  const baseURL = base === null ? null : basicURLParse(base);
  const record = basicURLParse(input, { baseURL });
  return record === null ? null : toParts(record);
}

const SETTERS = {
  protocol: (url, value) => basicURLParse(`${value}:`, { url, stateOverride: "scheme start" }),
  username: (url, value) => cannotHaveAUsernamePasswordPort(url) || setTheUsername(url, value),
  password: (url, value) => cannotHaveAUsernamePasswordPort(url) || setThePassword(url, value),
  host: (url, value) => hasAnOpaquePath(url) || basicURLParse(value, { url, stateOverride: "host" }),
  hostname: (url, value) => hasAnOpaquePath(url) || basicURLParse(value, { url, stateOverride: "hostname" }),
  port: (url, value) => {
    if (cannotHaveAUsernamePasswordPort(url)) return;
    if (value === "") url.port = null;
    else basicURLParse(value, { url, stateOverride: "port" });
  },
  pathname: (url, value) => {
    if (hasAnOpaquePath(url)) return;
    url.path = [];
    basicURLParse(value, { url, stateOverride: "path start" });
  },
  search: (url, value) => {
    url.query = value === "" ? null : "";
    if (value !== "") basicURLParse(value[0] === "?" ? value.slice(1) : value, { url, stateOverride: "query" });
  },
  hash: (url, value) => {
    url.fragment = value === "" ? null : "";
    if (value !== "") basicURLParse(value[0] === "#" ? value.slice(1) : value, { url, stateOverride: "fragment" });
  },
};

// The parts of `href` after `url[name] = value`.
export function change(href, name, value) {
  const record = basicURLParse(href);
  SETTERS[name](record, value);
  return toParts(record);
}
