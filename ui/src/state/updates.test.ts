import { expect, test } from "vitest";

import type { Updater, UpdatesTold, UpdateWish } from "../backend/updates";
import { Updates } from "./updates.svelte";

test("what a shell tells is shown until nobody listens, and wishes reach it", () => {
  let tell: ((told: UpdatesTold) => void) | undefined;
  const wishes: UpdateWish[] = [];
  const updater: Updater = {
    watch: (listener) => {
      tell = listener;
      return () => (tell = undefined);
    },
    wish: (wish) => Promise.resolve(void wishes.push(wish)),
  };
  const updates = new Updates(updater);
  const leave = updates.follow();
  const told: UpdatesTold = {
    version: "0.1.0",
    state: { state: "idle" },
    channel: "stable",
    pinned: null,
    said_by: "person",
    asking: "never",
    place: "replaced",
    engine: "here",
    answered_ms: null,
    failed_before: null,
  };
  tell?.(told);
  expect(updates.told).toBe(told);
  updates.wish({ wish: "install", when: "quit" });
  expect(wishes).toEqual([{ wish: "install", when: "quit" }]);
  leave();
  expect(tell).toBeUndefined();
});

test("where a shell cannot install any, nothing is told", () => {
  const updates = new Updates(undefined);
  updates.follow()();
  updates.wish({ wish: "check" });
  expect(updates.told).toBeNull();
});
