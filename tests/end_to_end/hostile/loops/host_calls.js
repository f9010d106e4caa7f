// Asks the host without end, one question after the other.
export default async (request, { fazt }) => {
  for (;;) await fazt.kv.get("nothing");
};
