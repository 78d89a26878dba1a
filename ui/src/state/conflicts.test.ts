import { expect, test } from "vitest";

import type { ConflictView } from "../backend/generated/ConflictView";
import { allSides, keeping, merits } from "./conflicts";

const side = (path: string, size: number, mtime_ms: number) => ({ path, device: "anna", kind: "file", size, mtime_ms });
const [here, aside] = [side("a", 10, 2), side("a.conflict", 10, 1)];
const conflict: ConflictView = { path: "a", winner: here, losers: [aside] };

test("what lies there comes first, and is kept as the winner", () => {
  expect(allSides(conflict)).toEqual([here, aside]);
  expect(keeping(conflict, here)).toEqual({ keep: "winner" });
  expect(keeping(conflict, aside)).toEqual({ keep: "loser", path: "a.conflict" });
  expect(allSides({ ...conflict, winner: null })).toEqual([aside]);
});

test("the newest and the largest are told only where they differ", () => {
  expect(merits(conflict, here)).toEqual({ isNewest: true, isLargest: false });
  expect(merits(conflict, aside)).toEqual({ isNewest: false, isLargest: false });
  expect(merits({ ...conflict, winner: null }, aside)).toEqual({ isNewest: false, isLargest: false });
});
