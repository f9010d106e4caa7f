// Throws what no visitor may read.
export default () => {
  throw new Error("hunter2");
};
