import { expect, test } from "vitest";

import { stretches } from "./stretches";

test("stretches hold every entry once, in their order", () => {
  for (const length of [0, 1, 19, 20, 21, 1000]) {
    const entries = Array.from({ length }, (_, place) => place);
    const all = stretches(entries);
    expect(all.flat()).toEqual(entries);
    expect(all.slice(0, -1).every((each) => each.length === 20)).toBe(true);
    expect(all.at(-1)?.length ?? 1).toBeGreaterThan(0);
  }
});
