import { expect, test } from "vitest";

import { folder } from "../backend/fake_scenes";
import type { FolderView } from "../backend/generated/FolderView";
import { progress, round } from "./progress";

function working(needs: number, fetched: number, wanted: number): FolderView {
  const calm = folder("a", "A", "/a");
  return {
    ...calm,
    state: { state: "syncing" },
    needs,
    transfer: { ...calm.transfer, fetched_bytes: fetched, wanted_bytes: wanted, files: 7 },
  };
}

test("a folder in sync has no round", () => {
  expect(round(null, folder("a", "A", "/a"), 0)).toBeNull();
});

test("a round counts from where it began, and grows with what is needed", () => {
  const begun = round(null, working(100, 5_000, 900), 1_000);
  const grown = round(begun, working(400, 5_000, 900), 2_000);
  expect(grown).toEqual({ startedMs: 1_000, pathsMost: 400, bytesBefore: 5_000, filesBefore: 7 });
});

test("many paths are judged by their number, with a time that is left", () => {
  const begun = round(null, working(400, 0, 900), 0);
  if (begun === null) throw new Error("no round");
  const half = progress(begun, working(200, 450, 450), 10_000);
  expect(half).toMatchObject({ share: 0.5, pathsLeft: 200, bytesLeft: 450, leftMs: 10_000 });
});

test("one large file is judged by its bytes", () => {
  const begun = round(null, working(1, 0, 1_000), 0);
  if (begun === null) throw new Error("no round");
  expect(progress(begun, working(1, 750, 250), 6_000)).toMatchObject({ share: 0.75, leftMs: 2_000 });
});

test("no time is told before it can be judged", () => {
  const begun = round(null, working(400, 0, 900), 0);
  if (begun === null) throw new Error("no round");
  expect(progress(begun, working(200, 450, 450), 500).leftMs).toBeNull();
});
