// Answers with a header that has another one in its value.
import { changeAnswer } from "../lib/forge.js";

export default () => {
  changeAnswer((answer) => ({ ...answer, headers: [["x-good", "1\r\nx-evil: 1\r\n\r\n<html>"]] }));
  return new Response("x");
};
