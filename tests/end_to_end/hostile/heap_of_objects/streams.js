// Streams that are branched and never read.
export default () => {
  const kept = [];
  const fork = (stream) => {
    const [one, other] = stream.tee();
    kept.push(one);
    return other;
  };
  let stream = new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(100000)) });
  for (;;) stream = fork(stream);
};
