// Where errors go that nobody can catch: those of event listeners and of queueMicrotask.
//
// Rule: reporting itself never throws.

let report = () => {};

// The kernel says where; until then such errors are dropped.
export function setErrorReporter(reporter) {
  report = reporter;
}

export function reportException(error) {
  try {
    report(error);
  } catch {
    // a reporter that fails has nobody left to tell
  }
}
