// Throws a Proxy whose every trap throws.
export default () => {
  const refuse = () => {
    throw new Error("a trap");
  };
  throw new Proxy(() => {}, new Proxy({}, { get: () => refuse }));
};
