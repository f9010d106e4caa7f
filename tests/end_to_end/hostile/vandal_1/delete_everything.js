// Deletes all that can be deleted, and answers if it still can.
export default () => {
  const response = new Response('{"reached":[]}');
  const { ownKeys, deleteProperty } = Reflect;
  for (const name of ownKeys(globalThis)) {
    const value = globalThis[name];
    const prototype = typeof value === "function" ? value.prototype : undefined;
    for (const owner of [prototype, value]) {
      if ((typeof owner !== "object" && typeof owner !== "function") || owner === null) continue;
      for (const key of ownKeys(owner)) deleteProperty(owner, key);
    }
    if (name !== "undefined") deleteProperty(globalThis, name);
  }
  return response;
};
