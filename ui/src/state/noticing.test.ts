import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import type { Spoken } from "../backend";
import { scene } from "../backend/fake_scenes";
import type { View } from "../backend/generated/View";
import { GATHER_MS, Noticing } from "./noticing";

const paired = scene("paired", 0);
const shared = (...labels: string[]): View => ({
  ...paired,
  invitations: labels.map((label) => ({ peer: "anna", folder: label, label })),
});

/** A window whose person looks elsewhere, with what is told and kept. */
function window(kept = new Map<string, string>()) {
  const told: Spoken[] = [];
  const person = { looks: false };
  const storage = {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => void kept.set(key, value),
  };
  const backend = { notify: (notice: Spoken) => (told.push(notice), Promise.resolve()) };
  const noticing = new Noticing(backend, { isLookedAt: () => person.looks, storage: () => storage });
  const hear = (view: View) => noticing.hear({ kind: "view", view }, 0);
  return { noticing, hear, person, kept, titles: () => told.map(({ title }) => title), told };
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("notices", () => {
  test("are not made of what was there at the start", () => {
    const { hear, titles } = window();
    hear(shared("Recipes"));
    vi.runAllTimers();
    expect(titles()).toEqual([]);
  });

  test("come a moment later, all that came meanwhile in one", () => {
    const { hear, titles } = window();
    hear(paired);
    hear(shared("Recipes"));
    vi.advanceTimersByTime(GATHER_MS / 2);
    hear(shared("Recipes", "Films"));
    expect(titles()).toEqual([]);
    vi.advanceTimersByTime(GATHER_MS / 2);
    expect(titles()).toEqual(["2 folders are shared with you"]);
    hear(shared("Recipes", "Films"));
    vi.runAllTimers();
    expect(titles()).toHaveLength(1);
  });

  test("are not made of what the person sees, then or by then", () => {
    const { hear, person, titles } = window();
    hear(paired);
    person.looks = true;
    hear(shared("Recipes"));
    person.looks = false;
    vi.runAllTimers();
    hear(shared("Recipes", "Films"));
    person.looks = true;
    vi.runAllTimers();
    expect(titles()).toEqual([]);
  });

  test("are not made of what is over by then", () => {
    const { hear, titles } = window();
    hear(paired);
    hear(shared("Recipes"));
    hear(paired);
    vi.runAllTimers();
    expect(titles()).toEqual([]);
  });

  test("are not made when nobody wants them, which is kept", () => {
    const { hear, noticing, kept, titles } = window();
    expect(noticing.isWanted).toBe(true);
    noticing.want(false);
    hear(paired);
    hear(shared("Recipes"));
    vi.runAllTimers();
    expect([titles(), noticing.isWanted]).toEqual([[], false]);
    expect(window(kept).noticing.isWanted).toBe(false);
  });

  test("of an invitation are not made again by the next window", () => {
    const first = window();
    first.hear(paired);
    first.hear(shared("Recipes"));
    vi.runAllTimers();
    const next = window(first.kept);
    next.hear(paired);
    next.hear(shared("Recipes", "Films"));
    vi.runAllTimers();
    expect(next.titles()).toEqual(["Anna's ThinkPad shares “Films” with you"]);
  });

  test("are made although somebody has spoilt what is kept", () => {
    const { hear, titles } = window(new Map([["invitations", "{oops"]]));
    hear(paired);
    hear(shared("Recipes"));
    vi.runAllTimers();
    expect(titles()).toHaveLength(1);
  });

  test("lead to a place, each to its own", () => {
    const { hear, noticing, told } = window();
    hear(paired);
    for (const labels of [["Recipes"], ["Recipes", "Films"]]) {
      hear(shared(...labels));
      vi.runAllTimers();
    }
    expect(told.map(({ tag }) => noticing.placeOf(tag))).toEqual([
      { at: "accept", peer: "anna", folder: "Recipes" },
      { at: "accept", peer: "anna", folder: "Films" },
    ]);
    expect(noticing.placeOf("another")).toBeNull();
  });

  test("tell what no view shows", () => {
    const { hear, noticing, titles } = window();
    hear(paired);
    noticing.tell([{ kind: "update", version: "0.2.0" }]);
    vi.runAllTimers();
    expect(titles()).toEqual(["Towline 0.2.0 is ready"]);
  });
});
