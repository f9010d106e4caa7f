// Random bytes that are kept.
export default () => {
  const kept = [];
  for (;;) kept.push(crypto.getRandomValues(new Uint8Array(65536)));
};
