/** The one sentence of the header: what a person would want to know first. */
import type { BecauseView } from "../backend/generated/BecauseView";
import type { View } from "../backend/generated/View";
import type { Progress } from "./progress";
import { problems } from "./problems";

/** What the header says. */
export type Headline =
  | { kind: "alone" }
  | { kind: "no_folders"; peers: number }
  | { kind: "attention"; count: number }
  | { kind: "conflicts"; count: number }
  | { kind: "paused" }
  | { kind: "held"; because: BecauseView }
  | { kind: "syncing"; folders: number; bytesPerSecond: number; leftMs: number | null }
  | { kind: "scanning" }
  | { kind: "waiting"; changes: number }
  | { kind: "only_here" }
  | { kind: "nobody_here" }
  | { kind: "in_sync" };

/** The headline of a view; `progress` holds the folders that are at work. */
export function headline(view: View, progress: ReadonlyMap<string, Progress>): Headline {
  const waiting = problems(view).filter((problem) => problem.weight !== "note").length;
  if (waiting > 0) return { kind: "attention", count: waiting };
  if (view.peers.length === 0 && view.folders.length === 0) return { kind: "alone" };
  if (view.folders.length === 0) return { kind: "no_folders", peers: view.peers.length };
  const conflicts = view.folders.reduce((sum, folder) => sum + folder.conflicts, 0);
  if (conflicts > 0) return { kind: "conflicts", count: conflicts };
  if (view.folders.every(({ state }) => state.state === "paused_by_person")) return { kind: "paused" };
  const syncing = view.folders.filter((folder) => folder.state.state === "syncing");
  const { rule, because } = view.device.traffic;
  if (syncing.length > 0 && rule.rule === "pause") return { kind: "held", because };
  if (syncing.length > 0) {
    const running = syncing.flatMap((folder) => progress.get(folder.id) ?? []);
    const lefts = running.map((each) => each.leftMs);
    const known = lefts.filter((left) => left !== null);
    return {
      kind: "syncing",
      folders: syncing.length,
      bytesPerSecond: running.reduce((sum, each) => sum + each.bytesPerSecond, 0),
      leftMs: known.length === syncing.length ? Math.max(...known) : null,
    };
  }
  if (view.folders.some(({ state }) => state.state === "scanning" || state.state === "opening")) {
    return { kind: "scanning" };
  }
  const stuck = view.folders.filter((folder) => folder.state.state === "waiting");
  if (stuck.length > 0) {
    return { kind: "waiting", changes: stuck.reduce((sum, folder) => sum + folder.needs, 0) };
  }
  const parts = view.folders.flatMap((folder) => folder.peers.map((peer) => peer.state));
  if (parts.every((part) => part === "invited")) return { kind: "only_here" };
  return parts.includes("connected") ? { kind: "in_sync" } : { kind: "nobody_here" };
}
