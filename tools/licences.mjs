// The licences of what is in a bundle, for the file beside it.

import { readFileSync, readdirSync } from "node:fs";
import { join, sep } from "node:path";

// The folder of the package that an input of a bundle belongs to, or null for our own.
function packageOf(input) {
  const marker = `node_modules${sep}`;
  const at = input.lastIndexOf(marker);
  if (at < 0) return null;
  const parts = input.slice(at + marker.length).split(sep);
  return join(input.slice(0, at + marker.length), ...parts.slice(0, parts[0].startsWith("@") ? 2 : 1));
}

// `inputs`: what esbuild's metafile names, relative to the folder `from`.
export function licences(inputs, from) {
  const folders = [...new Set(inputs.map(packageOf).filter((folder) => folder !== null))];
  const texts = folders.map((folder) => {
    const path = join(from, folder);
    const { name, version, license } = JSON.parse(readFileSync(join(path, "package.json"), "utf8"));
    const file = readdirSync(path).sort().find((each) => /^licen[cs]e/i.test(each));
    const text = file === undefined ? "" : readFileSync(join(path, file), "utf8").replaceAll("\r\n", "\n").trim();
    return { name, text: `${name} ${version}\nLicence: ${license}\n\n${text}\n` };
  });
  texts.sort((a, b) => (a.name < b.name ? -1 : 1));
  const rule = `\n${"-".repeat(80)}\n\n`;
  return `The scripts in this folder contain these packages:\n${rule}${texts.map((each) => each.text).join(rule)}`;
}
