// Returns a Response whose stream somebody holds.
export default () => {
  const response = new Response(new ReadableStream({}));
  response.body.getReader();
  return response;
};
