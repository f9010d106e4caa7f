// Answers 204 with a body, which the next answer on the connection would begin with.
import { changeAnswer } from "../lib/forge.js";

export default () => {
  changeAnswer((answer) => ({ ...answer, status: 204 }));
  return new Response("HTTP/1.1 200 OK\r\nx-evil: 1\r\n\r\n");
};
