// Throws an error while what it threw is written down.
export default () => {
  Object.prototype.toJSON = () => {
    delete Object.prototype.toJSON;
    throw new Error("to JSON");
  };
  throw new Error("thrown");
};
