/** The signal servers of a device without an engine. A host that begins with `nobody` does not answer. */
import type { ServerStateView } from "./generated/ServerStateView";
import type { ServerView } from "./generated/ServerView";
import type { View } from "./generated/View";
import type { Outcome } from "./index";

/** Where others reach the server that runs in this window. */
export const HERE_URL = "ws://192.168.1.20:8080/ws";

/** No server is set, and the build has none. */
export const NO_SERVER: ServerView = {
  url: null,
  proxy: null,
  state: { state: "none" },
  own: [],
  set_by: "build",
  usual: null,
  others: [],
};

/** Two servers, of which the second does not answer, and a usual one to go back to. */
export function withFallback({ server }: View, nowMs: number): ServerView {
  const url = "ws://192.168.1.20:8080/ws";
  const others = [{ url, proxy: null, state: offline(nowMs) }];
  return { ...server, own: [...server.own, url], usual: "wss://signal.towline.example/ws", others };
}

/** What becomes of a server view by other servers: while they are tried, and after. */
export function withServers(
  { usual }: ServerView,
  wished: readonly string[] | null,
  nowMs: number,
): { kind: "done"; connecting: ServerView; tried: ServerView } | Extract<Outcome, { kind: "refused" }> {
  const said = wished ?? (usual === null ? [] : [usual]);
  if (said.some((text) => /\s|^https?:/.test(text) || text === "")) {
    return { kind: "refused", error: { code: "server_url", detail: null } };
  }
  const own = [...new Set(said.map((text) => (text.includes("://") ? text : `wss://${text}/ws`)))];
  if (own.length > 3) return { kind: "refused", error: { code: "servers", detail: null } };
  const set_by = wished === null ? "build" : "person";
  const view = (stateOf: (url: string) => ServerStateView): ServerView => {
    const [url, ...rest] = own;
    if (url === undefined) return { ...NO_SERVER, set_by, usual };
    const others = rest.map((other) => ({ url: other, proxy: null, state: stateOf(other) }));
    return { url, proxy: null, state: stateOf(url), own, set_by, usual, others };
  };
  const answers = (url: string) => !url.includes("//nobody");
  return {
    kind: "done",
    connecting: view(() => ({ state: "connecting" })),
    tried: view((url) => (answers(url) ? { state: "online" } : offline(nowMs))),
  };
}

function offline(nowMs: number): ServerStateView {
  return { state: "offline", fault: "unreachable", retry_at_ms: nowMs + 24_000 };
}
