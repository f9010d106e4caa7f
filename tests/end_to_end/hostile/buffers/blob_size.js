// A blob that only says that it is large, as an answer.
export default () => {
  let blob = new Blob(["x"]);
  for (let i = 0; i < 60; i++) blob = new Blob([blob, blob]);
  return new Response(blob);
};
