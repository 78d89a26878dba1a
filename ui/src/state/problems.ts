/** Standing problems: what stays on the screen until it is solved, the gravest first. */
import type { View } from "../backend/generated/View";

/** How grave a problem is. Notes can be dismissed. */
export type Weight = "alarm" | "problem" | "note";

/** A standing problem, or a note. */
export type Problem =
  | { kind: "impostor"; weight: "alarm"; peer: string; name: string }
  | { kind: "twin"; weight: "problem" }
  | { kind: "twins"; weight: "problem"; peer: string; name: string }
  | { kind: "paused"; weight: "problem"; folder: string; label: string; fault: string }
  | { kind: "braked"; weight: "problem"; folder: string; label: string; peer: string; name: string | null }
  | { kind: "server_offline"; weight: "problem"; fault: string; retryAtMs: number }
  | { kind: "server_stopped"; weight: "problem"; fault: string }
  | { kind: "no_server"; weight: "note" }
  | { kind: "rebuilt"; weight: "note" }
  | { kind: "key_file"; weight: "note" };

/** What is wrong in a view. */
export function problems(view: View): Problem[] {
  const found: Problem[] = [];
  for (const peer of view.peers) {
    const { link } = peer;
    if (link.state === "impostor" || (link.state === "waiting" && link.fault === "impostor")) {
      found.push({ kind: "impostor", weight: "alarm", peer: peer.id, name: peer.name });
    }
  }
  if (view.device.identity === "doubled") found.push({ kind: "twin", weight: "problem" });
  for (const { id: peer, name, identity } of view.peers) {
    if (identity === "doubled") found.push({ kind: "twins", weight: "problem", peer, name });
  }
  for (const { id, label, state, braked } of view.folders) {
    if (state.state === "paused") {
      found.push({ kind: "paused", weight: "problem", folder: id, label, fault: state.fault });
    }
    for (const { peer } of braked) {
      const name = view.peers.find((each) => each.id === peer)?.name ?? null;
      found.push({ kind: "braked", weight: "problem", folder: id, label, peer, name });
    }
  }
  const server = view.server.state;
  if (server.state === "offline") {
    const { fault, retry_at_ms: retryAtMs } = server;
    found.push({ kind: "server_offline", weight: "problem", fault, retryAtMs });
  }
  if (server.state === "stopped") {
    found.push({ kind: "server_stopped", weight: "problem", fault: server.fault });
  }
  // Within the local network there is none by choice.
  if (server.state === "none" && view.device.scope === "everywhere") found.push({ kind: "no_server", weight: "note" });
  if (view.device.store === "rebuilt") found.push({ kind: "rebuilt", weight: "note" });
  if (view.device.key_place === "file") found.push({ kind: "key_file", weight: "note" });
  return found;
}
