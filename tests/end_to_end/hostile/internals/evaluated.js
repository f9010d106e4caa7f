// Uses every way to make code of text: it may run, and finds nothing more than other code.
export default async () => {
  const reached = [];
  const makers = [
    Function, (async () => {}).constructor, (function* () {}).constructor, (async function* () {}).constructor,
  ];
  for (const Maker of makers) {
    for (const name of ["loader", "record", "path", "evaluate", "fetched", "wire", "calls", "waiting", "current", "sab"]) {
      try {
        const made = new Maker(`return typeof ${name}`)();
        const { value } = typeof made === "string" ? { value: made } : await (made.next?.() ?? made.then((value) => ({ value })));
        if (value !== "undefined") reached.push(name);
      } catch {
        // no such name
      }
    }
  }
  for (const text of ["arguments", "new.target", "module", "require", "import.meta"]) {
    try {
      if (typeof (0, eval)(text) !== "undefined") reached.push(text);
    } catch {
      // no such name
    }
  }
  return Response.json({ reached });
};
