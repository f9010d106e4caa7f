// Math.random, drawn from the host.
//
// Every isolate is a copy of one (fazt/functions/zygote.py), the state of V8's own generator included: with it, each site
// could tell what the others draw. Rule: nothing is drawn before the isolate is a site's.

const DRAWN_BYTES = 8192; // at once: the host is asked for each thousandth number
const HIGH = 67108864; // 2 ** 26
const LOW = 1 / 9007199254740992; // 2 ** -53

const Words = Uint32Array;

export function installRandom(draw) {
  let words = null;
  let left = 0;

  const { random } = {
    random() {
      if (left === 0) {
        words = new Words(draw(DRAWN_BYTES).buffer);
        left = DRAWN_BYTES / 4;
      }
      left -= 2;
      return ((words[left] >>> 5) * HIGH + (words[left + 1] >>> 6)) * LOW;
    },
  };
  Object.defineProperty(Math, "random", { value: random, writable: true, configurable: true, enumerable: false });
}
