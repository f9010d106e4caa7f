// Answers with a header that has another one in its name.
import { changeAnswer } from "../lib/forge.js";

export default () => {
  changeAnswer((answer) => ({ ...answer, headers: [["x-evil: 1\r\nx-more", "1"]] }));
  return new Response("x");
};
