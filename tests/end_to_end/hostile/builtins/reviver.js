// A reviver that puts in more than it takes out.
export default () => {
  const text = '{"a":{"b":1}}';
  return Response.json(JSON.parse(text, function (key, value) {
    return key === "b" ? 1 : JSON.parse(text, () => { for (;;); });
  }));
};
