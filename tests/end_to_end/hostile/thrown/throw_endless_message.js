// Throws an error whose message never comes.
export default () => {
  throw Object.assign(new Error(), { message: { toString() { for (;;); } } });
};
