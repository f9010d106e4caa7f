// Answers with a status that is a text with a header in it.
import { changeAnswer } from "../lib/forge.js";

export default () => {
  changeAnswer((answer) => ({ ...answer, status: "200 OK\r\nx-evil: 1" }));
  return new Response("x");
};
