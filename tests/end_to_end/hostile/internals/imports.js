// Imports what is not the site's code.
const NAMES = [
  "fs", "node:fs", "child_process", "os", "/etc/passwd", "../../../../../../etc/passwd", "file:///etc/passwd",
  "file:///proc/self/environ", "https://example.org/a.js", "data:text/javascript,export default 1", "blob:null/1",
  "../index.html", "../fazt.json", "../../good/api/hello.js", "fazt:runtime", "fazt/kernel", "__proto__", "constructor",
  "toString", "", ".", "..", "./", "\0", "internals/globals.js", "%2e%2e/index.html",
];
export default async () => {
  const reached = [];
  for (const name of NAMES) {
    try {
      await import(name);
      reached.push(name);
    } catch {
      // as it should be
    }
  }
  return Response.json({ reached });
};
