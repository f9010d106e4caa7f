// What upstream's tests expect of the global object of a worker, and how results come out.

globalThis.self = globalThis;
globalThis.GLOBAL = { isWindow: () => false, isWorker: () => true, isShadowRealm: () => false };
{
  const { href, origin, protocol, host, hostname, port, pathname, search, hash } = new URL("{{url}}");
  globalThis.location = { href, origin, protocol, host, hostname, port, pathname, search, hash, toString: () => href };
}
__web.setBaseUrl("{{url}}");

(() => {
  const target = new EventTarget();
  for (const name of ["addEventListener", "removeEventListener", "dispatchEvent"]) {
    globalThis[name] = target[name].bind(target);
  }
  __web.setErrorReporter((error) => {
    const event = new ErrorEvent("error", { error, message: String(error?.message ?? error), cancelable: true });
    globalThis.onerror?.(event.message, "", 0, 0, error);
    globalThis.dispatchEvent(event);
  });
})();

globalThis.__harness = () => {
  setup({ explicit_timeout: true });
  add_completion_callback((tests, harness) => {
    const names = ["PASS", "FAIL", "TIMEOUT", "NOTRUN", "PRECONDITION_FAILED"];
    __results = tests.map((test) => [test.name, names[test.status], test.message ?? ""]);
    if (harness.status !== 0) __results.push(["(the harness)", "FAIL", `${harness.message}`]);
  });
};
