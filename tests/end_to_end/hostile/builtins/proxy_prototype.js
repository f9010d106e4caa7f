// A chain of prototypes that goes round through a Proxy.
export default () => {
  const circle = new Proxy({}, { getPrototypeOf: () => circle, get: (target, key) => Reflect.get(circle, key) });
  return new Response(String(circle.anything));
};
