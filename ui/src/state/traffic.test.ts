import { expect, test } from "vitest";

import type { WindowView } from "../backend/generated/WindowView";
import { newWindow, ruleFields, ruleOf, schedule, windowFields, windowOf } from "./traffic";

const NIGHT: WindowView = {
  days: 0b100_0001,
  from: 22 * 60,
  to: 6 * 60,
  rule: { rule: "limit", send: 500_000, receive: null },
};

test("a time of the week is what its fields show", () => {
  const fields = windowFields(NIGHT, 1);
  expect([fields.days[0], fields.days[1], fields.days[6], fields.from]).toEqual([true, false, true, "22:00"]);
  expect(windowOf(fields)).toEqual(NIGHT);
});

test("a time without days, with a time or a speed that is none, is none", () => {
  const fields = newWindow(1);
  expect(windowOf(fields)).not.toBeNull();
  expect(windowOf({ ...fields, days: [] })).toBeNull();
  expect(windowOf({ ...fields, to: "25:00" })).toBeNull();
  const slow = { rule: "limit", limits: { send: "x", receive: "" } } as const;
  expect(schedule([fields, { ...fields, rule: slow }])).toBeNull();
});

test("a network may have no rule of its own", () => {
  expect(ruleOf(ruleFields(null))).toBeNull();
  expect(ruleOf(ruleFields({ rule: "pause" }))).toEqual({ rule: "pause" });
});
