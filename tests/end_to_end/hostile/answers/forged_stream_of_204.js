// Answers 204 and streams a body behind it.
import { changeAnswer } from "../lib/forge.js";

export default () => {
  changeAnswer((answer) => ({ ...answer, status: 204 }));
  return new Response(new Blob(["HTTP/1.1 200 OK\r\nx-evil: 1\r\n\r\n"]).stream());
};
