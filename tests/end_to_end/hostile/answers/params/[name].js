// Uses a part of the path as the name of a property.
export default (request, { params }) => {
  const object = {};
  object[params.name] = { polluted: true };
  return Response.json({ reached: {}.polluted ? ["Object.prototype"] : [] });
};
