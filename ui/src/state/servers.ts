/** The signal servers that a device has of its own, each as it stands. */
import type { ServerStateView } from "../backend/generated/ServerStateView";
import type { ServerView } from "../backend/generated/ServerView";
import type { View } from "../backend/generated/View";

/** A server of the device; `state` is `null` while nobody asks it. */
export interface OwnServer {
  url: string;
  proxy: string | null;
  state: ServerStateView | null;
}

/** The device's own servers, the preferred one first. */
export function ownServers(server: ServerView): OwnServer[] {
  const inUse = server.url === null ? [] : [{ url: server.url, proxy: server.proxy, state: server.state }];
  const known = [...inUse, ...server.others];
  return server.own.map((url) => known.find((each) => each.url === url) ?? { url, proxy: null, state: null });
}

/** Servers where peers are visited. */
export function visited({ own, others }: ServerView): ServerView["others"] {
  return others.filter(({ url }) => !own.includes(url));
}

/** Whether its person may change the servers. */
export function mayChange({ set_by }: ServerView): boolean {
  return set_by === "person" || set_by === "build";
}

/** Whether the device meets others on its network only, because nobody has named a server. */
export function isWithoutServer({ server, device }: View): boolean {
  return server.own.length === 0 && device.scope === "everywhere";
}
