// Domains to ASCII: at once where they are ASCII, else by tr46 and its tables.
//
// Rule: the tables (a quarter of a megabyte) are loaded by the first domain that needs them.

import source from "packed:idna";
import { unpack } from "./packed.js";

const PLAIN = /^[\0-\x7f]*$/;
const PUNYCODE = /(?:^|\.)xn--/i;
let tables = null;

export function toASCII(domain, options) {
  if (PLAIN.test(domain) && !PUNYCODE.test(domain)) return domain.toLowerCase();
  tables ??= unpack(source, "idna");
  return tables.toASCII(domain, options);
}
