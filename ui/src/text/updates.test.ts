import { expect, test } from "vitest";

import { FakeUpdater } from "../backend/fake_updates";
import type { UpdatesTold } from "../backend/updates";
import { words } from "./index";
import { noteLines, updateFault, updateNotice, updateText } from "./updates";

function told(scene: string): UpdatesTold {
  const seen: UpdatesTold[] = [];
  new FakeUpdater(scene, 1, 7_200_000).watch((now) => seen.push(now))();
  const [first] = seen;
  if (!first) throw new Error("nothing was told");
  return first;
}

test("each state has a line, but those that sentences tell", () => {
  const texts = ["none", "update", "update_downloading", "update_ready", "update_installing"].map(
    (scene) => updateText(told(scene))?.text,
  );
  expect(texts).toEqual([
    "Up to date",
    "Towline 0.2.0 is there",
    "Fetching Towline 0.2.0",
    "Towline 0.2.0 is ready",
    "Installing Towline 0.2.0",
  ]);
  expect(updateText(told("update_off"))).toBeNull();
  expect(updateText({ ...told("none"), answered_ms: null })?.detail).toBe(words.updates.never);
});

test("only what waits for a person is told everywhere", () => {
  const notices = ["none", "update", "update_downloading", "update_ready", "update_failed"].map(
    (scene) => updateNotice(told(scene).state)?.what,
  );
  expect(notices).toEqual([undefined, "Towline 0.2.0 is there.", undefined, "Towline 0.2.0 is ready.", undefined]);
});

test("a fault says what to do, also one of a newer shell", () => {
  expect(updateFault("signature").todo).toContain("nothing was installed");
  expect(updateFault("toString")).toEqual(words.unknownCode("toString"));
});

test("what stands in notes acts nowhere", () => {
  expect(noteLines("one\r\ntwo\u202e\t<b>")).toEqual(["one", "two⟨U+202E⟩\t<b>"]);
});
