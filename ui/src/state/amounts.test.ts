import { describe, expect, test } from "vitest";

import { limitFields, limits, size, sizeField, speed, whole } from "./amounts";
import { fields, minuteOfDay, moment, timeOfDay } from "./moment";

describe("amounts", () => {
  test("are whole numbers within bounds", () => {
    expect(whole(" 12 ", 1, 100)).toEqual({ kind: "amount", value: 12 });
    expect(whole("", 1, 100)).toEqual({ kind: "nothing" });
    for (const text of ["0", "101", "1.5", "x", "-1"]) expect(whole(text, 1, 100).kind).toBe("fault");
  });

  test("of speed are typed with a comma or a point", () => {
    expect(speed("1,5")).toEqual({ kind: "amount", value: 1_500_000 });
    expect(speed("1.5")).toEqual({ kind: "amount", value: 1_500_000 });
    expect(speed("١٫٥")).toEqual({ kind: "amount", value: 1_500_000 });
    for (const text of ["0", "1,000.5", "fast", "0.0000001"]) expect(speed(text).kind).toBe("fault");
  });

  test("of limits are what fields show", () => {
    const set = { send: 250_000, receive: null };
    expect(limits(limitFields(set))).toEqual(set);
    expect(limits({ send: "", receive: "x" })).toBeNull();
  });

  test("of room are typed in gibibytes, and kept exactly when nobody types", () => {
    expect(sizeField(10 * 1024 ** 3)).toBe("10");
    expect(size("0,5", 7)).toEqual({ kind: "amount", value: 2 ** 29 });
    expect(size(sizeField(10_500_000_001), 10_500_000_001)).toEqual({ kind: "amount", value: 10_500_000_001 });
  });
});

describe("moments", () => {
  test("are what fields show", () => {
    const now = new Date(2026, 10, 28, 14, 5).getTime();
    const { date, time } = fields(now);
    expect([date, time]).toEqual(["2026-11-28", "14:05"]);
    expect(moment(date, time)).toBe(now);
  });

  test("that no calendar has are none", () => {
    const none = [["2026-02-30", "10:00"], ["2026-13-01", "10:00"], ["yesterday", "10:00"], ["2026-01-01", "25:00"]];
    for (const [date = "", time = ""] of none) expect(moment(date, time)).toBeNull();
  });

  test("of the day are minutes", () => {
    expect([minuteOfDay("00:00"), minuteOfDay("23:59"), minuteOfDay("24:00"), minuteOfDay("7")]).toEqual([0, 1439, null, null]);
    expect(timeOfDay(485)).toBe("08:05");
  });
});
