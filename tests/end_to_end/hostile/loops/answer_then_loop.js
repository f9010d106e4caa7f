// Answers, and goes on in microtasks: the answer must not hide the loop.
export default () => {
  const again = () => Promise.resolve().then(again);
  again();
  return new Response("answered");
};
