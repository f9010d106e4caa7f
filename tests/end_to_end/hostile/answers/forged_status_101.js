// Answers 101 behind the back of Response: the connection would be somebody else's.
import { changeAnswer } from "../lib/forge.js";

export default () => {
  changeAnswer((answer) => ({ ...answer, status: 101 }));
  return new Response("x");
};
