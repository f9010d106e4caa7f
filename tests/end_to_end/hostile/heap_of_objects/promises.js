// Promises that wait for ever.
export default async () => {
  const kept = [];
  for (;;) kept.push(new Promise(() => {}).then(() => kept));
};
