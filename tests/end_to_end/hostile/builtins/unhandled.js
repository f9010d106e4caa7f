// Promises that fail and that nobody looks at, without end.
export default () => {
  for (;;) Promise.reject(new Error("nobody looks"));
};
