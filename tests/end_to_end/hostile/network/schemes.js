// Fetches what is not HTTP.
export default async () => {
  const reached = [];
  const urls = [
    "file:///etc/passwd", "ftp://127.0.0.1/", "gopher://127.0.0.1:70/", "ws://127.0.0.1/", "unix:/var/run/docker.sock",
    "http+unix://%2fvar%2frun%2fx.sock/", "javascript:1", "about:blank", "chrome://version", "dict://127.0.0.1/", "//x", "",
  ];
  for (const url of urls) await fetch(url).then(() => reached.push(url), () => {});
  return Response.json({ reached });
};
