// Throws an error whose stack throws.
export default () => {
  throw { get stack() { throw new Error("the stack"); } };
};
