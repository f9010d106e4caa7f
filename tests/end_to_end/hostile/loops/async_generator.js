// An async generator without end.
export default async () => {
  async function* numbers() {
    for (let i = 0; ; i++) yield i;
  }
  let sum = 0;
  for await (const number of numbers()) sum += number;
  return new Response(String(sum));
};
