/**
 * What in a folder needs its person or should be known, the gravest first; each has an action that
 * solves it. Told above the folder's tabs until it is solved.
 */
import type { BrakedView } from "../backend/generated/BrakedView";
import type { FolderView } from "../backend/generated/FolderView";
import type { View } from "../backend/generated/View";

/** Something that stands in a folder until it is solved. */
export type Banner =
  | { kind: "root"; fault: string }
  | { kind: "disk_full" }
  | ({ kind: "braked"; name: string | null } & BrakedView)
  | { kind: "conflicts"; count: number }
  | { kind: "local_changes"; count: number }
  | { kind: "differing"; count: number }
  | { kind: "spoiled"; count: number }
  | { kind: "held"; count: number };

/** Entries that a view lists at most; there may be more. */
export const HELD_SHOWN_MAX = 100;

/** The banners of a folder. */
export function banners(folder: FolderView, view: View): Banner[] {
  const found: Banner[] = [];
  const { state, settings, held_back } = folder;
  if (state.state === "paused") found.push({ kind: "root", fault: state.fault });
  if (held_back.some(({ reason }) => reason === "disk_full")) found.push({ kind: "disk_full" });
  for (const braked of folder.braked) {
    const name = view.peers.find(({ id }) => id === braked.peer)?.name ?? null;
    found.push({ kind: "braked", name, ...braked });
  }
  if (folder.conflicts > 0) found.push({ kind: "conflicts", count: folder.conflicts });
  if (settings.mode === "receive_only" && folder.local_changes > 0) {
    found.push({ kind: "local_changes", count: folder.local_changes });
  }
  if (settings.mode === "send_only" && folder.needs > 0) {
    found.push({ kind: "differing", count: folder.needs });
  }
  if (folder.spoiled > 0) found.push({ kind: "spoiled", count: folder.spoiled });
  if (held_back.length > 0) found.push({ kind: "held", count: held_back.length });
  return found;
}
