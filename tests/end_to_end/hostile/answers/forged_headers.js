// Answers with headers that are no pairs.
import { changeAnswer } from "../lib/forge.js";

export default () => {
  changeAnswer((answer) => ({ ...answer, headers: [["a", { b: 1 }], "c: d", 5] }));
  return new Response("x");
};
