// Runs out of stack inside of the platform's own code.
export default async (request, { fazt }) => {
  const deep = (work) => {
    try {
      deep(work);
    } catch {
      work();
    }
  };
  deep(() => {
    setTimeout(() => {}, 1);
    console.log("deep down");
    fazt.kv.get("x").catch(() => {});
    structuredClone({ a: [1] });
    new Headers({ a: "b" });
  });
  return Response.json({ reached: [] });
};
