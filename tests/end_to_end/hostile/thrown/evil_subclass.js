// Returns a Response whose every getter loops or throws: nobody asks them.
class Evil extends Response {
  get status() { for (;;); }
  get headers() { throw new Error("headers"); }
  get body() { for (;;); }
  get then() { return undefined; }
}
export default () => new Evil('{"reached":[]}');
