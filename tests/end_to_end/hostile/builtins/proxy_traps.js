// A Proxy whose keys have no end worth waiting for.
export default () => {
  const keys = Array.from({ length: 100000 }, (_, i) => `k${i}`);
  const endless = new Proxy({}, {
    ownKeys: () => keys,
    getOwnPropertyDescriptor: () => ({ value: 1, enumerable: true, configurable: true }),
  });
  for (;;) Object.entries(endless);
};
