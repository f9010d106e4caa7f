// Requires what is not the site's code, from a CommonJS module.
const NAMES = ["fs", "node:fs", "child_process", "process", "/etc/passwd", "../../../etc/passwd", "../index.html", "vm"];

module.exports = () => {
  const reached = [];
  for (const name of NAMES) {
    try {
      require(name);
      reached.push(name);
    } catch {
      // as it should be
    }
  }
  for (const name of ["cache", "main", "resolve", "extensions"]) if (require[name] !== undefined) reached.push(name);
  if (typeof module.constructor._load === "function" || module.parent !== undefined) reached.push("module");
  return Response.json({ reached });
};
