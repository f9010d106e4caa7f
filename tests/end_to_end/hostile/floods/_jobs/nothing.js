// The job of jobs.js.
export default () => {};
