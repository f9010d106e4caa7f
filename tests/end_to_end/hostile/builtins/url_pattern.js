// A pattern that takes exponential time, inside of URLPattern.
export default () => {
  const pattern = new URLPattern({ pathname: "/((?:a+)+)" });
  return new Response(String(pattern.test({ pathname: `/${"a".repeat(60)}!` })));
};
