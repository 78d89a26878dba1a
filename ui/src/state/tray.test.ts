import { expect, test } from "vitest";

import { scene } from "../backend/fake_scenes";
import type { View } from "../backend/generated/View";
import { headline } from "./summary";
import { sign } from "./tray";

const signOf = (view: View) => sign({ kind: "view", view }, headline(view, new Map()));
const wishes = (view: View) => signOf(view).choices.map(({ wish }) => wish);

test.each([
  ["synced", "good", "All in sync"],
  ["syncing", "working", "Syncing 1 folder"],
  ["empty", "idle", "Not connected to another computer yet"],
  ["trouble", "trouble", "3 things need you"],
])("the sign of the scene %s is %s and says %s", (name, standing, state) => {
  expect(signOf(scene(name, 0))).toMatchObject({ standing, state, title: "Towline" });
});

test("the sign says too that a device starts, ends, and has stopped", () => {
  expect(sign({ kind: "starting" }, null)).toMatchObject({ standing: "working", state: "Starting…" });
  expect(sign({ kind: "ending" }, null)).toMatchObject({ standing: "working" });
  expect(sign({ kind: "ended", error: null }, null)).toMatchObject({
    standing: "trouble",
    state: "This device has stopped",
    choices: [
      { wish: "open", text: "Open Towline" },
      { wish: "quit", text: "Quit Towline" },
    ],
  });
});

test("all folders are paused from the sign, and resumed when all of them are", () => {
  expect(wishes(scene("empty", 0))).toEqual(["open", "quit"]);
  const view = scene("synced", 0);
  expect(view.folders.length).toBeGreaterThan(1);
  const paused = view.folders.map((each) => ({ ...each, settings: { ...each.settings, paused: true } }));
  expect(wishes({ ...view, folders: [...paused.slice(1), ...view.folders.slice(0, 1)] })).toEqual(["open", "pause", "quit"]);
  expect(wishes({ ...view, folders: paused })).toEqual(["open", "resume", "quit"]);
});

test("the sign does not change with every byte", () => {
  const view = scene("syncing", 0);
  const at = (bytesPerSecond: number) =>
    sign({ kind: "view", view }, { kind: "syncing", folders: 1, bytesPerSecond, leftMs: 1000 });
  expect(at(1)).toEqual(at(2_000_000));
});
