import { describe, expect, test } from "vitest";

import { findings } from "../backend/fake_network";
import { scene } from "../backend/fake_scenes";
import type { FindingView } from "../backend/generated/FindingView";
import { findingsReport, findingsSummary, findingText } from "./findings";

/** One of each kind, where it could be better. */
const WORSE: readonly FindingView[] = [
  ...["none", "connecting", "unreachable", "certificate", "closed", "moon"].map(
    (state) => ({ verdict: "bad", check: "server", url: "wss://secret.example/ws", state }) as const,
  ),
  ...(["asking", "not_asked", "silent"] as const).map(
    (outside) => ({ verdict: "bad", check: "udp", outside }) as const,
  ),
  ...(["varies", "unknown"] as const).map(
    (mapping) => ({ verdict: "fair", check: "nat", mapping, translates: null }) as const,
  ),
  ...[true, false].map((asked) => ({ verdict: "fair", check: "port_mapping", external: null, asked }) as const),
  ...(["off", "waiting", "silent", "port_taken"] as const).map(
    (state) => ({ verdict: "bad", check: "mdns", state, neighbours: 2, codes: 0 }) as const,
  ),
  ...[null, 61, -7200].map((ahead_s) => ({ verdict: "bad", check: "clock", ahead_s }) as const),
  { verdict: "fair", check: "paths", connected: 3, relayed: 1 },
  { verdict: "fair", check: "keyring", place: "file" },
  { verdict: "bad", check: "disk", place: "/home/secret", available: 1, total: 9 },
  { verdict: "fair", check: "disk_unknown", place: "/home/secret" },
  { verdict: "bad", check: "watches", directories: 9, limit: 8 },
  { verdict: "bad", check: "folder", label: "Secret plans", fault: "missing" },
];

describe("a finding", () => {
  test("says what is and what to do wherever it could be better", () => {
    const texts = WORSE.map(findingText);
    for (const { what, todo, verdict, standing } of texts) {
      expect([what, todo, verdict].map((text) => text.trim() !== "")).toEqual([true, true, true]);
      expect(standing).not.toBe("good");
    }
    expect(new Set(texts.map(({ what }) => what)).size).toBe(texts.length);
  });

  test("says nothing to do where all is fine", () => {
    const text = findingText({ verdict: "fine", check: "keyring", place: "file" });
    expect([text.todo, text.standing]).toEqual(["", "good"]);
  });

  test("of an engine that looks at more is told as such", () => {
    const unknown = { verdict: "bad", check: "mo\u202eon" } as unknown as FindingView;
    expect(findingText(unknown).what).toMatch(/does not know \(mo.*on\)/);
    expect(findingText(unknown).what).not.toContain("\u202e");
  });

  test("tells how far the clock is off, which way, and that a minute is nothing", () => {
    const what = (ahead_s: number) => findingText({ verdict: "bad", check: "clock", ahead_s }).what;
    expect(what(-7200)).toBe("The clock is 2 hr behind the signal server's.");
    expect(what(90)).toContain("ahead of");
    expect(what(60)).toContain("agrees");
  });

  test("tells how many devices nearby are heard of, and how many of them show a code", () => {
    const what = (neighbours: number, codes: number) =>
      findingText({ verdict: "fine", check: "mdns", state: "heard", neighbours, codes }).what;
    expect(what(0, 0)).toContain("No other device");
    expect(what(1, 0)).toMatch(/ 1 other device is heard of\.$/);
    expect(what(3, 1)).toMatch(/ 3 other devices are heard of; 1 shows a code\.$/);
    expect(what(3, 2)).toMatch(/; 2 show a code\.$/);
  });
});

test("the report holds neither addresses nor places nor names", () => {
  const report = findingsReport(WORSE, "0.1.0", 0);
  expect(report.toLowerCase()).not.toContain("secret");
  expect(report.split("\n").filter((line) => line.startsWith("- "))).toHaveLength(WORSE.length);
  const led = { verdict: "fine", check: "port_mapping", external: "198.51.100.7:9", asked: true } as const;
  expect(findingsReport([led], "0.1.0", 0)).not.toContain("198");
  expect(findingText(led).about).toBe("198.51.100.7:9");
});

test("the summary counts what is not as it should be", () => {
  expect(findingsSummary([])).toBe("All is as it should be.");
  expect(findingsSummary(findings(scene("connected", 0)))).toBe("1 thing does not work, 2 things could be better.");
});
