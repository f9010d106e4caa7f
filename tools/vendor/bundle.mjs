// Bundles the dashboard's browser libraries with esbuild: one ES module a file, and their licences. Called by tools/assets.
//
//   node bundle.mjs MODULES OUTPUT     MODULES: the folder where npm installed the packages
//
// Rule: the same packages give the same bytes; nothing of this machine gets into the output.

import { createRequire } from "node:module";
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { licences } from "../licences.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const [modules, output] = process.argv.slice(2);
const { build } = createRequire(join(modules, "package.json"))("esbuild");

async function bundle(name) {
  const result = await build({
    entryPoints: [`${name}.js`],
    bundle: true,
    format: "esm",
    platform: "browser",
    mainFields: ["module", "main"],
    target: "es2022",
    charset: "utf8",
    minify: true,
    legalComments: "none",
    alias: {
      "@codemirror/autocomplete": join(here, "completion.js"),
      "@codemirror/lang-javascript": join(here, "javascript.js"),
    },
    nodePaths: [join(modules, "node_modules")],
    absWorkingDir: here,
    write: false,
    metafile: true,
    logLevel: "warning",
  });
  const [written] = Object.values(result.metafile.outputs);
  const text = result.outputFiles[0].text;
  writeFileSync(join(output, `${name}.js`), text);
  console.log(`${name}.js ${text.length} bytes`);
  return Object.keys(written.inputs);
}

mkdirSync(output, { recursive: true });
const inputs = [];
for (const name of ["preact", "uplot", "codemirror"]) inputs.push(...(await bundle(name)));
copyFileSync(join(modules, "node_modules/uplot/dist/uPlot.min.css"), join(output, "uplot.css"));
writeFileSync(join(output, "LICENSES.txt"), licences(inputs, here));
