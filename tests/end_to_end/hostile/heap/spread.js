// An endless iterator made an array.
export default () => {
  const endless = { [Symbol.iterator]: () => ({ next: () => ({ done: false, value: {} }) }) };
  return new Response(String([...endless].length));
};
