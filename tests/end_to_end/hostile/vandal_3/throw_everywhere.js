// Has every method of every built-in throw.
export default () => {
  const response = new Response('{"reached":[]}');
  const { ownKeys, defineProperty, getOwnPropertyDescriptor } = Reflect;
  const refuse = { value: () => { throw new Error("vandal"); }, configurable: true, writable: true };
  for (const name of ownKeys(globalThis)) {
    const owner = globalThis[name]?.prototype;
    if ((typeof owner !== "object" && typeof owner !== "function") || owner === null) continue;
    for (const key of ownKeys(owner)) {
      if (getOwnPropertyDescriptor(owner, key).configurable && key !== "constructor") defineProperty(owner, key, refuse);
    }
  }
  return response;
};
