// `context.fazt.jobs`: work that is put off. The host checks everything; here it only gets its shape.

export function jobs(host) {
  return Object.freeze({
    // Has api/_jobs/<name>.js run with `data`; options: delay, retries, backoff, unique. Resolves to {id}.
    async enqueue(name, data, options) {
      const { value } = await host.call("jobs.enqueue", {
        name: String(name),
        data: data === undefined ? null : data,
        options: options === undefined ? null : options,
      });
      return value;
    },
  });
}
