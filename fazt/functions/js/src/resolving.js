// Which file of a site an import means. Rule: the same answers as fazt/functions/sources.py, which asks at deploy.

const VENDORED = "api/_vendor/";
const EXTENSIONS = [".ts", ".tsx", ".js", ".jsx", ".mjs", ".mts", ".cjs", ".json"];
const TYPED = { ".js": [".ts", ".tsx"], ".jsx": [".tsx"], ".mjs": [".mts"] }; // TypeScript imports "./a.js" for a.ts

/** Return the path of the module that an import in the file `from` means, or null; `has(path)` knows the files. */
export function resolveImport(specifier, from, has) {
  const relative = /^\.{0,2}\//.test(specifier) || specifier === "." || specifier === "..";
  const folder = specifier.startsWith("/") ? [] : from.split("/").slice(0, -1);
  const segments = relative ? folder : VENDORED.split("/").slice(0, -1);
  for (const segment of specifier.split("/")) {
    if (segment === "..") {
      if (segments.length === 0) return null;
      segments.pop();
    } else if (segment !== "" && segment !== ".") {
      segments.push(segment);
    }
  }
  const path = segments.join("/");
  if (!relative && !path.startsWith(VENDORED)) return null;
  return candidates(path, /(?:^|\/)\.{0,2}$/.test(specifier)).find(has) ?? null;
}

function candidates(path, isFolder) {
  const inside = EXTENSIONS.map((extension) => `${path === "" ? "" : `${path}/`}index${extension}`);
  if (isFolder || path === "") return inside;
  const extension = /\.\w+$/.exec(path)?.[0] ?? "";
  const exact = EXTENSIONS.includes(extension) && !/\.d\.m?ts$/.test(path) ? [path] : [];
  const typed = (TYPED[extension] ?? []).map((other) => path.slice(0, -extension.length) + other);
  return [...exact, ...typed, ...EXTENSIONS.map((other) => path + other), ...inside];
}

/** Return why an import cannot be found, as a sentence without a full stop. */
export function whyNotFound(specifier) {
  if (/^\.{0,2}\//.test(specifier) || specifier === "." || specifier === "..") {
    return `there is no module '${specifier}' in this site`;
  }
  if (specifier.startsWith("node:")) return `'${specifier}' is a part of Node.js, which is not here`;
  if (/^[a-z][a-z0-9+.-]*:/i.test(specifier)) return `'${specifier}' cannot be imported: only files of the site can be`;
  return `'${specifier}' is not in this site: bundle it, or put it into ${VENDORED} (${VENDORED}${specifier}.js)`;
}
