// `fazt.rooms`: what a function may do with the rooms of its site; who may join and send stands in fazt.json.

const MAX_REASON = 100;

function room(host, name) {
  const call = async (operation, value) => (await host.call(operation, { room: name, ...value })).value;
  return Object.freeze({
    name,
    // Send to everybody in the room, and keep it as the room keeps its messages -> {seq, members}
    broadcast: (data) => call("rooms.broadcast", { data: data === undefined ? null : data }),
    // Who is there -> [{id, name, data}]
    members: () => call("rooms.members", {}),
    // The messages that are kept, or those behind a number -> [{seq, from, data, at}]
    history: ({ since } = {}) => call("rooms.history", { since: since ?? null }),
    // Send to one member only; it is not kept
    send: (member, data) => call("rooms.send", { member: String(member), data: data === undefined ? null : data }),
    // Close a member's connection; its client does not come back by itself
    close: (member, reason = "") =>
      call("rooms.kick", { member: String(member), reason: String(reason).slice(0, MAX_REASON) }),
  });
}

export function rooms(host) {
  return Object.freeze({ get: (name) => room(host, String(name)) });
}
