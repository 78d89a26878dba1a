import { describe, expect, test } from "vitest";

import { COUNTS, MANY_COUNTS } from "../backend/fake_network";
import type { CandidateView } from "../backend/generated/CandidateView";
import type { LinkView } from "../backend/generated/LinkView";
import type { OutsideView } from "../backend/generated/OutsideView";
import { advice } from "./errors";
import { numbers, words } from "./index";
import { candidateText, changeText, countFacts, originText, outsideText, pathText, routerText, wayOf, wayText } from "./network";

/** A link that stands. */
function up(kind: "lan" | "direct" | "relayed"): LinkView {
  const path = kind === "relayed" ? { kind } : { kind, address: "192.0.2.7:1" };
  return { state: "up", path, rtt_ms: 4, received_bytes: 0, sent_bytes: 0 };
}

/** A link that waits for its next try. */
function waiting(fault: string): LinkView {
  return { state: "waiting", fault, retry_at_ms: 0 };
}

describe("the way to a peer", () => {
  test.each([
    [up("lan"), null, "lan"],
    [up("direct"), null, "direct"],
    [up("relayed"), "no_answer", "relayed"],
    [up("relayed"), null, "relayed"],
    [up("relayed"), "searching", "searching"],
    [{ state: "connecting" }, null, "connecting"],
    [{ state: "away" }, null, "apart"],
    [waiting("timed_out"), null, "apart"],
    [waiting("impostor"), null, "impostor"],
    [{ state: "impostor" }, null, "impostor"],
  ] as const)("of %j with the obstacle %s is %s", (link, obstacle, way) => {
    expect(wayOf(link, obstacle)).toBe(way);
    expect(wayText(way).name).not.toBe("");
  });
});

test("each obstacle has its reason and what to do", () => {
  const told = ["searching", "no_udp_here", "no_address", "no_answer", "no_udp_there", "both_vary", "ports_guessed"].map((code) => advice("obstacle", code));
  expect(new Set(told.map(({ what }) => what)).size).toBe(7);
  expect(told[3]?.todo).toContain("--port");
  expect(advice("obstacle", "moon").what).toContain("moon");
});

test("all that may be known of the way out is told by a shape and words", () => {
  const all: OutsideView[] = ["not_asked", "asking", "seen", "silent"];
  expect(all.map((each) => outsideText(each).standing)).toEqual(["idle", "working", "good", "wait"]);
  expect(new Set(all.map((each) => outsideText(each).text)).size).toBe(4);
  expect(outsideText("silent").todo).toContain("UDP");
});

test("the router is told of as far as it is known", () => {
  expect(routerText({ mapping: "unknown", mapped: null })).toBe("");
  expect(routerText({ mapping: "varies", mapped: null })).toContain("another port");
  expect(routerText({ mapping: "same", mapped: "198.51.100.7:1" })).toMatch(/one port .*198\.51\.100\.7:1/);
});

describe("an address", () => {
  const one: CandidateView = { address: "a", path: "lan", origin: "told", state: "answers", rtt_ms: 0.82 };

  test("that answers says how fast", () => {
    expect(candidateText(one)).toEqual({ standing: "good", text: "Answers", detail: numbers.milliseconds(0.82) });
    expect(candidateText({ ...one, rtt_ms: null }).detail).toBe("");
  });

  test("that does not is told from one that was not tried, and from what is not known here", () => {
    const texts = ["silent", "untried", "odd"].map((state) => candidateText({ ...one, state, rtt_ms: null }).text);
    expect(texts).toEqual(["No answer", "Not tried yet", "Unknown"]);
  });

  test("of a kind that a newer engine knows keeps its code", () => {
    expect(["lan", "direct_v6", "direct_v4", "relay"].map(pathText)).toEqual(Object.values(words.network.paths));
    expect(pathText("carrier\u202epigeon")).toBe("Another path (carrier⟨U+202E⟩pigeon)");
    expect([originText("heard"), originText("constructor")]).toEqual(["Seen from here", "Otherwise (constructor)"]);
  });
});

test("what has happened to a link is told by a shape and words", () => {
  const at_ms = 0;
  const told = [
    changeText({ at_ms, state: "away" }),
    changeText({ at_ms, state: "connecting" }),
    changeText({ at_ms, state: "up", path: "direct_v6" }),
    changeText({ at_ms, state: "waiting", fault: "restarted" }),
    changeText({ at_ms, state: "waiting", fault: "impostor" }),
    changeText({ at_ms, state: "impostor" }),
  ];
  expect(told.map(({ standing }) => standing)).toEqual(["idle", "working", "good", "wait", "trouble", "trouble"]);
  expect([told[2]?.text, told[3]?.text]).toEqual(["Connected: Direct by IPv6", "It has begun anew"]);
});

describe("counts", () => {
  test("of a first try say so much", () => {
    expect(countFacts(COUNTS)).toEqual([
      { name: "Tries", text: `1 of 1 try connected (${numbers.share(1)})` },
      { name: "Time to connect", text: "64 ms the last time" },
      { name: "Paths taken", text: "Local network 1×, Signal server 1×" },
    ]);
  });

  test("of many tell their share, the usual time, and why some failed", () => {
    const facts = countFacts(MANY_COUNTS).map(({ text }) => text);
    expect(facts.slice(0, 3)).toEqual([
      `39 of 42 tries connected (${numbers.share(0.928)})`,
      "No answer 3×",
      "212 ms the last time, mostly within 300 ms",
    ]);
  });

  test("of a peer that was never tried are not judged", () => {
    const never = { ...COUNTS, attempts: 0, established: 0, taken: [], connect_ms: null };
    expect(countFacts(never)).toEqual([{ name: "Tries", text: "None yet" }]);
  });

  test("of slow connections are told in seconds", () => {
    const within = MANY_COUNTS.connect_within.map(({ bound_ms }) => ({ bound_ms, count: 0 }));
    const slow = { ...MANY_COUNTS, connect_ms: 95_000, connect_within: within, connect_longer: 9 };
    expect(countFacts(slow)[2]?.text).toBe(`${numbers.duration(95_000)} the last time, mostly longer than ${numbers.duration(120_000)}`);
  });
});
