import { expect, test } from "vitest";

import { UP_TO_DATE } from "../backend/fake_updates";
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
  tell?.(UP_TO_DATE);
  expect(updates.told).toBe(UP_TO_DATE);
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
