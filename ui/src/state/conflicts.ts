/** A conflict as its sides: what lies there now, and what is kept aside. */
import type { ConflictView } from "../backend/generated/ConflictView";
import type { KeepView } from "../backend/generated/KeepView";
import type { SideView } from "../backend/generated/SideView";

/** All versions of a conflict, what lies there first. */
export function allSides(conflict: ConflictView): SideView[] {
  return conflict.winner ? [conflict.winner, ...conflict.losers] : conflict.losers;
}

/** The choice that keeps a side. */
export function keeping(conflict: ConflictView, side: SideView): KeepView {
  return side === conflict.winner ? { keep: "winner" } : { keep: "loser", path: side.path };
}

/** What can be said of a side beside the others: the newest, the largest, when they differ at all. */
export function merits(conflict: ConflictView, side: SideView): { isNewest: boolean; isLargest: boolean } {
  const all = allSides(conflict);
  const isMost = (value: (side: SideView) => number) =>
    all.every((each) => each === side || value(each) < value(side)) && all.length > 1;
  return { isNewest: isMost(({ mtime_ms }) => mtime_ms), isLargest: isMost(({ size }) => size) };
}
