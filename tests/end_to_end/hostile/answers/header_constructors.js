// Tries to get a line break into a header by every door.
export default () => {
  const reached = [];
  const evil = "1\r\nx-evil: 1";
  const tries = [
    () => new Headers({ x: evil }), () => new Headers([["x", evil]]), () => new Headers({ "x\r\nx-evil": "1" }),
    () => new Headers().append("x", evil), () => new Headers().set("x", "a\0b"), () => new Response("", { headers: { x: evil } }),
    () => new Response("", { statusText: evil }), () => Response.redirect(`/a\r\nx-evil: 1`),
    () => Response.json({}, { headers: [["x", { toString: () => evil }]] }),
    () => new Headers({ x: { toString: () => evil } }), () => new Headers([["x", "\u010d\u010a"]]),
    () => new Request("http://a.example/", { headers: { x: evil } }), () => new Headers({ "": "1" }),
  ];
  for (const [at, attempt] of tries.entries()) {
    try {
      const made = attempt();
      const headers = made?.headers ?? made;
      if (made === undefined || /[\r\n\0]/.test(JSON.stringify([...(headers ?? [])].flat().join("|")))) reached.push(at);
      else if (at !== 7) reached.push(at);
    } catch {
      // as it should be
    }
  }
  return Response.json({ reached });
};
