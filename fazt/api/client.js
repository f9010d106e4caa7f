// Rooms of a Fazt site, for pages:  import { room } from "/_fazt/client.js"
//
//   const chat = room("chat", { name: "Ada" });
//   chat.on("message", ({ from, data }) => console.log(from?.name, data));
//   chat.send("hello");
//
// It connects again by itself and asks for what it missed; what is sent meanwhile waits. See docs/rooms.md.

const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 30000;
const QUIET_MS = 45000; // then the server is asked whether it is there
const ANSWER_MS = 15000;
const MAX_QUEUED = 100;
const FINAL_CODES = [1003, 4400, 4403, 4404, 4410]; // trying again would not help
const FULL_CODE = 4429;

class Room {
  constructor(name, { name: memberName = "", data, history = true, url } = {}) {
    this.name = name;
    this.me = null; // this member's id, once it is in
    this.members = []; // [{id, name, data}], as far as the room tells
    this.state = "connecting"; // "connecting", "open", "away" (trying again) or "closed"
    this.seq = null; // the number of the last message that came
    this._url = url ?? `${location.origin.replace(/^http/, "ws")}/_fazt/room/${encodeURIComponent(name)}`;
    this._memberName = memberName;
    this._data = data;
    this._wantsHistory = history;
    this._listeners = {};
    this._queue = [];
    this._failures = 0;
    this._again = () => this.state === "away" && this._connect();
    globalThis.addEventListener?.("online", this._again);
    this._connect();
  }

  // Events: open, message, direct, join, leave, presence, missed, error, away, close. Returns a function that ends it.
  on(event, listener) {
    const listeners = (this._listeners[event] ??= new Set());
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  // Send any JSON to everybody in the room, this page included. False: too much waits already, or the room is closed.
  send(data) {
    return this._say({ type: "send", data });
  }

  // Replace what the others see of this member: a status, a cursor, a colour.
  setPresence(data) {
    this._data = data;
    if (this.state === "open") this._say({ type: "presence", data });
  }

  close() {
    if (this.state === "closed") return;
    this._socket?.close(1000);
    this._end(1000, "");
  }

  _say(message) {
    if (this.state === "closed") return false;
    if (this.state === "open") {
      this._socket.send(JSON.stringify(message));
      return true;
    }
    if (this._queue.length >= MAX_QUEUED) return false;
    this._queue.push(message);
    return true;
  }

  _tell(event, value) {
    for (const listener of [...(this._listeners[event] ?? [])]) {
      try {
        listener(value);
      } catch (error) {
        setTimeout(() => {
          throw error; // one listener's mistake must not cost the others their events
        });
      }
    }
  }

  _connect() {
    clearTimeout(this._timer);
    const query = new URLSearchParams();
    if (this._memberName) query.set("name", this._memberName);
    if (this._data !== undefined) query.set("data", JSON.stringify(this._data));
    this._told = this._data;
    if (this.seq !== null) query.set("since", this.seq);
    else if (!this._wantsHistory) query.set("since", "now");
    this.state = "connecting";
    const socket = (this._socket = new WebSocket(`${this._url}?${query}`));
    socket.onmessage = ({ data }) => socket === this._socket && this._take(JSON.parse(data));
    socket.onclose = ({ code, reason }) => socket === this._socket && this._lost(code, reason);
    this._listen();
  }

  // A connection can die without a word: after a while of silence, ask.
  _listen() {
    clearTimeout(this._timer);
    const socket = this._socket;
    this._timer = setTimeout(() => {
      if (this.state === "open") socket.send('{"type":"ping"}');
      this._timer = setTimeout(() => {
        this._lost(1006, "no answer");
        socket.close();
      }, ANSWER_MS);
    }, QUIET_MS);
  }

  _take(message) {
    this._listen();
    const { type } = message;
    if (type === "welcome") {
      this._welcome(message);
    } else if (type === "message") {
      this.seq = message.seq;
      this._tell("message", message);
    } else if (type === "members") {
      this.members = message.members;
      this._tell("presence", null);
    } else if (type === "join" || type === "leave" || type === "presence") {
      const { member } = message;
      const others = this.members.filter(({ id }) => id !== member.id);
      this.members = type === "leave" ? others : [...others, member];
      this._tell(type, member);
    } else if (type === "direct" || type === "error") {
      this._tell(type, type === "direct" ? message.data : message);
    }
  }

  _welcome({ you, members = [], seq, missed }) {
    this.me = you;
    this.members = members;
    this.state = "open";
    this._failures = 0;
    // What is kept comes next, by number; without it, go on from here.
    if (this.seq === null && !this._wantsHistory) this.seq = seq;
    if (missed) this._tell("missed", null);
    if (this._told !== this._data) this._say({ type: "presence", data: this._data });
    this._tell("open", this);
    for (const waiting of this._queue.splice(0)) this._say(waiting);
  }

  _lost(code, reason) {
    clearTimeout(this._timer);
    this._socket = null;
    if (this.state === "closed") return;
    if (FINAL_CODES.includes(code)) {
      this._end(code, reason);
      return;
    }
    this.state = "away";
    const delay = code === FULL_CODE ? LONGEST_DELAY_MS : Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** this._failures);
    this._failures += 1;
    this._timer = setTimeout(this._again, delay * (0.5 + Math.random() / 2)); // not all clients in the same moment
    this._tell("away", { code, reason });
  }

  _end(code, reason) {
    clearTimeout(this._timer);
    globalThis.removeEventListener?.("online", this._again);
    this._socket = null;
    this.state = "closed";
    this._queue = [];
    this._tell("close", { code, reason });
  }
}

function room(name, options) {
  return new Room(name, options);
}

export { room };
