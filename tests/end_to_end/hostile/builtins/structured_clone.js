// Clones what is nested very deeply.
export default () => {
  let value = {};
  for (let i = 0; i < 500000; i++) value = { value };
  structuredClone(value);
  return Response.json({ reached: [] });
};
