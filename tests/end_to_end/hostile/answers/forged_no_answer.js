// Answers with nothing at all.
import { changeAnswer } from "../lib/forge.js";

export default () => {
  changeAnswer(() => undefined);
  return new Response("x");
};
