// Answers with an answer that is nested deeper than anybody reads.
import { changeAnswer } from "../lib/forge.js";

export default () => {
  changeAnswer((answer) => {
    for (let i = 0; i < 2000; i++) answer = { headers: [answer] };
    return answer;
  });
  return new Response("x");
};
