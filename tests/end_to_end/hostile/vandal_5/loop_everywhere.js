// Has every getter and method of what promises and JSON use loop.
export default () => {
  const response = new Response("text");
  const loop = () => { for (;;); };
  Promise.prototype.then = JSON.stringify = JSON.parse = Array.prototype.map = Map.prototype.get = loop;
  Object.defineProperty(Object.prototype, "then", { get: loop });
  Object.defineProperty(Object.prototype, "toJSON", { get: loop });
  return response;
};
