// Throws nothing.
export default () => {
  throw null;
};
