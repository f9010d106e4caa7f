// Returns what only has the prototype of a Response.
export default () => Object.create(Response.prototype);
