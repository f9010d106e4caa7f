// Returns a Response whose body was read already.
export default async () => {
  const response = new Response("x");
  await response.text();
  return response;
};
