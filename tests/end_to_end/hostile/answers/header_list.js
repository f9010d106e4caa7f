// Gets the list behind Headers by way of an array's method, and writes into it.
export default () => {
  const headers = new Headers({ "x-good": "1" });
  const { map, sort, slice } = Array.prototype;
  const poison = (list) => {
    if (Array.isArray(list?.[0]) && list[0].length === 2) list.push(["x-evil\r\nx-more", "1\r\n\r\n"]);
  };
  for (const [name, method] of Object.entries({ map, sort, slice })) {
    Array.prototype[name] = function (...values) {
      poison(this);
      return Reflect.apply(method, this, values);
    };
  }
  const response = new Response("x", { headers }).clone();
  [...response.headers];
  Object.assign(Array.prototype, { map, sort, slice });
  for (const name of ["map", "sort", "slice"]) {
    Object.defineProperty(Array.prototype, name, { enumerable: false });
  }
  return response;
};
