import { expect, test } from "vitest";

import { appearance, choose } from "./appearance";

function page(theme?: string): { dataset: Record<string, string | undefined> } {
  return { dataset: theme === undefined ? {} : { theme } };
}

test("a page without a mark, or with one that nobody knows, is as the system is", () => {
  expect([page(), page("sepia"), page("light"), page("dark")].map(appearance)).toEqual(["system", "system", "light", "dark"]);
});

test("a choice marks the page and is kept; the system's leaves nothing behind", () => {
  const [shown, kept] = [page(), new Map<string, string>()];
  const storage = () => ({
    setItem: (key: string, value: string) => void kept.set(key, value),
    removeItem: (key: string) => void kept.delete(key),
  });
  choose("dark", shown, storage);
  expect([appearance(shown), [...kept]]).toEqual(["dark", [["appearance", "dark"]]]);
  choose("system", shown, storage);
  expect([shown.dataset, kept.size]).toEqual([{}, 0]);
});

test("without a storage the choice holds for this window", () => {
  const shown = page();
  choose("light", shown, () => {
    throw new Error("forbidden");
  });
  expect(appearance(shown)).toBe("light");
});
