// Asks for another site's data with every field that might say whose it is.
import { forge } from "../lib/forge.js";

export default async (request, { fazt }) => {
  const reached = [];
  for (let id = 0; id < 12; id++) {
    const whose = { site: "good", site_id: id, siteId: id, caller: { site_id: id, site: "good" }, version: id, unit: null };
    for (const value of [{ key: "marker", ...whose }, { key: ["marker"], ...whose }, { key: "../good/marker", ...whose }]) {
      const answer = await forge(fazt, "kv.get", value).catch(() => null);
      if (answer?.found) reached.push(JSON.stringify(value));
    }
    const list = await forge(fazt, "kv.list", { prefix: "mark", limit: 10, values: true, ...whose }).catch(() => null);
    for (const item of list?.items ?? []) reached.push(item.key);
    const file = await forge(fazt, "files.read", { path: "only_good.txt", ...whose }).catch(() => null);
    if (file?.found) reached.push("only_good.txt");
  }
  return Response.json({ reached });
};
