// Throws an error whose stack is a text only when it is asked first.
export default () => {
  let asked = 0;
  throw { get stack() { return asked++ ? { split: 1 } : "a text"; }, name: { toString: null }, message: Symbol("m") };
};
