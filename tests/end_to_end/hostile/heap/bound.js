// Functions bound over and over, and then called.
export default () => {
  let bound = () => 0;
  for (let i = 0; i < 1e7; i++) bound = bound.bind(null, i);
  return new Response(String(bound()));
};
