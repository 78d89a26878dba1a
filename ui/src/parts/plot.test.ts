import { expect, test } from "vitest";

import { joined, stepped, topOf, type Mark } from "./plot";

const FRAME = { fromMs: 0, toMs: 360_000, top: 50 };
const mark = (fromMs: number, atMs: number, value: number, follows: boolean): Mark => ({ fromMs, atMs, value, follows });

test("a scale ends at a number that is read at a glance", () => {
  expect([0.84, 1.04, 2.1, 46, 61, 97].map((most) => topOf(most, 0.5))).toEqual([1, 1.5, 3, 50, 80, 100]);
  expect(topOf(112_000_000, 10_000)).toBe(150_000_000);
});

test("what is nearly nothing does not fill a plot", () => {
  expect([topOf(0, 1), topOf(430, 10_000)]).toEqual([1, 10_000]);
});

test("points are joined, but not over a time without a connection", () => {
  const marks = [mark(0, 1000, 25, false), mark(1000, 3000, 50, true), mark(9000, 10_000, 0, false)];
  expect(joined(marks, FRAME)).toEqual({
    line: "M1 50L3 0M10 100h0",
    area: "M1 100L1 50L3 0L3 100ZM10 100L10 100L10 100Z",
  });
});

test("steps are as long as their values held", () => {
  const marks = [mark(0, 2000, 50, false), mark(2000, 10_000, 5, true)];
  expect(stepped(marks, FRAME).line).toBe("M0 0L2 0L2 90L10 90");
});

test("nothing is drawn out of the box", () => {
  expect(joined([mark(0, 400_000, 90, false)], FRAME).line).toBe("M360 0h0");
});

test("nothing draws nothing", () => {
  expect(joined([], FRAME)).toEqual({ line: "", area: "" });
});
