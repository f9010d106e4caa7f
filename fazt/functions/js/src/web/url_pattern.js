// URLPattern, by urlpattern-polyfill, which uses the URL of this runtime.
//
// Rule: loaded by the first use.

import source from "packed:patterns";
import { unpack } from "./packed.js";

export const { URLPattern } = unpack(source, "patterns");
