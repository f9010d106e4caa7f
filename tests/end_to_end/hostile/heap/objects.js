// Objects with ever more keys.
export default () => {
  const object = {};
  for (let i = 0; ; i++) object[`key${i}`] = { i };
};
