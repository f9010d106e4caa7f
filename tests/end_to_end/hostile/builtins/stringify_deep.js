// JSON nested a million times.
export default () => {
  let value = [];
  for (let i = 0; i < 1000000; i++) value = [value];
  return Response.json(value);
};
