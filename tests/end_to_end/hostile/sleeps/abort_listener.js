// Does not end until it is told to, and then loops.
export default (request) => {
  request.signal.addEventListener("abort", () => { for (;;); });
  return new Promise(() => {});
};
