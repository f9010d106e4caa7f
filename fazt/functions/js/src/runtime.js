// What a fresh isolate evaluates: installs the web standards, and leaves the function that handles a frame.

import { startKernel } from "./kernel.js";
import { installWeb } from "./web/index.js";

const sab = globalThis.__sab;
const bell = globalThis.__bell;
delete globalThis.__sab;
delete globalThis.__bell;

if (sab !== undefined) globalThis.__slice = startKernel(sab, bell);
else globalThis.__web = installWeb(globalThis.__host); // without the driver: tests of the web standards in bare V8
