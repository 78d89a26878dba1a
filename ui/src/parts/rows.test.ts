import { expect, test } from "vitest";

import { drawn, seated, step } from "./rows";

test("keys lead through a list and stop at its ends", () => {
  const at = (key: string, row: number) => step(key, row, 100, 10);
  expect([at("ArrowDown", 0), at("ArrowDown", 99), at("ArrowUp", 0)]).toEqual([1, 99, 0]);
  expect([at("PageDown", 5), at("PageUp", 5), at("Home", 50), at("End", 50)]).toEqual([15, 0, 0, 99]);
  expect([at("x", 5), step("End", 0, 0, 10)]).toEqual([null, null]);
});

test("of a hundred thousand rows few are drawn", () => {
  expect(drawn(100_000, 44, 0, 600)).toEqual({ from: 0, to: 26 });
  const { from, to } = drawn(100_000, 44, 44 * 50_000, 600);
  expect([from < 50_000, to > 50_014, to - from < 60]).toEqual([true, true, true]);
  expect(drawn(3, 44, 9_999, 600)).toEqual({ from: 3, to: 3 });
  expect(drawn(0, 44, 0, 600)).toEqual({ from: 0, to: 0 });
});

test("rows keep their elements, and new ones take those that are free", () => {
  const first = seated([], [0, 1, 2]);
  expect(first).toEqual([0, 1, 2].map((row) => ({ seat: row, row })));
  // Scrolled by one: what stays, stays; the row that came is drawn where the one that went was.
  expect(seated(first, [1, 2, 3])).toEqual([
    { seat: 1, row: 1 },
    { seat: 2, row: 2 },
    { seat: 0, row: 3 },
  ]);
  // Far away, no element moves; the row with the focus, which stays, keeps its own.
  expect(seated(first, [70, 71, 1])).toEqual([
    { seat: 0, row: 70 },
    { seat: 2, row: 71 },
    { seat: 1, row: 1 },
  ]);
  expect(seated(first, [5])).toEqual([{ seat: 0, row: 5 }]);
  expect(seated([{ seat: 4, row: 5 }], [5, 6]).map(({ seat }) => seat)).toEqual([4, 5]);
});
