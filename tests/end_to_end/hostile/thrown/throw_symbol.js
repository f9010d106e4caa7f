// Throws what no text can be made of.
export default () => {
  throw Symbol("thrown");
};
