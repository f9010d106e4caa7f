// A comparator that changes its mind, over a large array.
export default () => {
  const numbers = Array.from({ length: 3000000 }, (_, i) => i);
  numbers.sort(() => Math.random() - 0.5);
  return new Response(String(numbers[0]));
};
