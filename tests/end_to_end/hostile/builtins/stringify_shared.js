// An object that is small in memory and endless as JSON.
export default () => {
  let value = ["x"];
  for (let i = 0; i < 60; i++) value = [value, value];
  return Response.json(value);
};
