import { describe, expect, test } from "vitest";

import { assertExact } from "../backend/door";
import { english } from "./en";
import { advice, refusal } from "./errors";
import { locales } from "./locale";
import { pieces, plain, plainLine } from "./names";
import { Numbers } from "./numbers";
import { trafficText } from "./states";

describe("names", () => {
  test("are shown as they are written", () => {
    for (const name of ["Anna's ThinkPad", "書斎", "קובץ", "👩‍💻 desk"]) expect(plain(name)).toBe(name);
  });

  test("cannot hide, reorder or break lines", () => {
    expect(plain("invoice\u202efdp.exe")).toBe("invoice⟨U+202E⟩fdp.exe");
    expect(plain("a\nb\u0000c\u200b\u{e0041}")).toBe("a⟨U+000A⟩b⟨U+0000⟩c⟨U+200B⟩⟨U+E0041⟩");
  });

  test("of lines keep their tabs", () => {
    expect(plainLine("a\tb\u202ec")).toBe("a\tb⟨U+202E⟩c");
  });

  test("come in pieces, so that escapes can be told from letters", () => {
    expect(pieces("a\u202eb")).toEqual([
      { kind: "written", text: "a" },
      { kind: "escaped", text: "⟨U+202E⟩" },
      { kind: "written", text: "b" },
    ]);
  });
});

describe("numbers", () => {
  const [en, de] = [new Numbers("en-GB"), new Numbers("de")];

  test("are a locale's", () => {
    expect(en.count(12_400)).toBe("12,400");
    expect(de.count(12_400)).toBe("12.400");
    expect(de.bytes(1_450_000_000)).toMatch(/^1,5\sGB$/);
  });

  test("of bytes grow through their units", () => {
    expect(en.bytes(0)).toBe("0 bytes");
    expect(en.bytes(999_000)).toBe("999 kB");
    expect(en.bytes(18_640_000_000)).toBe("19 GB");
    expect(en.bytes(5e15)).toBe("5,000 TB");
    expect([en.speed(112_000_000), en.speed(1000), en.speed(430)]).toEqual(["112 MB/s", "1 kB/s", "0.4 kB/s"]);
  });

  test("of time have one unit", () => {
    expect([en.duration(0), en.duration(24_000), en.duration(150_000)]).toEqual([
      "1 sec",
      "24 secs",
      "3 mins",
    ]);
    expect([en.clock(287_000), en.clock(-5)]).toEqual(["4:47", "0:00"]);
  });

  test("of moments are near or exact", () => {
    const now = new Date(2026, 10, 28, 14, 30).getTime();
    const before = (minutes: number) => en.ago(now - minutes * 60_000, now);
    expect([before(5), before(180), before(24 * 60)]).toEqual(["5 minutes ago", "3 hours ago", "yesterday"]);
    expect(before(8 * 24 * 60)).toBe(en.moment(now - 8 * 24 * 3_600_000));
    expect(en.ago(now + 90_000, now)).toBe(en.moment(now + 90_000));
    expect([en.weekday(0, "long"), de.weekday(6, "short")]).toEqual(["Monday", "So"]);
  });

  test("never say that all is done before it is", () => {
    expect([en.share(0.999), en.share(1)]).toEqual(["99%", "100%"]);
  });

  test("too large to be exact are stopped at the door", () => {
    expect(() => assertExact({ a: [2 ** 53] })).toThrow();
    expect(() => assertExact({ a: [2 ** 53 - 1, null, "x"] })).not.toThrow();
  });
});

test("what holds for all content is told with its reason", () => {
  const free = { rule: "limit", send: null, receive: null } as const;
  expect(trafficText({ rule: free, because: "always" })).toMatchObject({ text: "No limit now", detail: "" });
  const slow = trafficText({ rule: { ...free, send: 500_000 }, because: "metered" });
  expect(slow.detail).toBe("sending 500 kB/s, this network costs by volume");
  const held = trafficText({ rule: { rule: "pause" }, because: "schedule" });
  expect([held.text, held.detail]).toEqual(["Nothing moves now", "by the schedule"]);
});

test("locales that are none are passed over", () => {
  expect(locales(["C", "de-AT", "en"])).toEqual(["de-AT", "en"]);
  expect(locales(["C", "POSIX_", ""])).toEqual(["en"]);
});

describe("codes", () => {
  const words = english(new Numbers("en"));

  test("all have a sentence that says what happened and what to do", () => {
    for (const codes of Object.values(words.codes)) {
      for (const { what, todo } of Object.values(codes)) {
        expect(what.length).toBeGreaterThan(5);
        expect(todo.length).toBeGreaterThan(5);
      }
    }
  });

  test("of a newer engine are told honestly, and never as code", () => {
    expect(advice("pairing", "new_code").what).toContain("new_code");
    expect(advice("pairing", "constructor").what).toContain("constructor");
    expect(refusal({ code: "a\u202eb", detail: null })).toContain("⟨U+202E⟩");
  });
});
