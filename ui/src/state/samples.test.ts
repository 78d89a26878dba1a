import { describe, expect, test } from "vitest";

import type { LinkChangeView } from "../backend/generated/LinkChangeView";
import type { LinkSampleView } from "../backend/generated/LinkSampleView";
import { REACH_MS, readings, summary, type Reading } from "./samples";

function sample(at_ms: number, received_bytes: number, rtt_ms = 4): LinkSampleView {
  return { at_ms, rtt_ms, received_bytes, sent_bytes: 0 };
}

const up = (at_ms: number): LinkChangeView => ({ at_ms, state: "up", path: "lan" });
const values = (all: Reading[]) => all.map(({ value }) => value);

describe("speeds", () => {
  test("are bytes over the time since the measurement before", () => {
    const samples = [sample(2000, 500), sample(4000, 3000), sample(14_000, 3000)];
    const { received, rtt } = readings(samples, [up(1000)], 20_000);
    expect(values(received)).toEqual([1500, 300]);
    expect(received.map(({ fromMs }) => fromMs)).toEqual([2000, 4000]);
    expect(received.map(({ follows }) => follows)).toEqual([false, true]);
    expect([values(rtt), rtt.map(({ follows }) => follows)]).toEqual([[4, 4, 4], [false, true, true]]);
  });

  test("of a new connection begin with it, and no line leads over from the old one", () => {
    const history: LinkChangeView[] = [
      up(0),
      { at_ms: 5000, state: "waiting", fault: "closed" },
      { at_ms: 60_000, state: "connecting" },
      up(61_000),
      { at_ms: 61_500, state: "up", path: "direct_v4" },
    ];
    const { received, rtt } = readings([sample(2000, 200), sample(63_000, 4000)], history, 70_000);
    expect(received).toEqual([{ fromMs: 61_000, atMs: 63_000, value: 2000, follows: false }]);
    expect(rtt.map(({ follows }) => follows)).toEqual([false, false]);
  });

  test("are known without a history, too", () => {
    expect(values(readings([sample(2000, 9000), sample(4000, 20)], [], 5000).received)).toEqual([10]);
  });

  test("reach back six minutes and no further", () => {
    const end = 1_000_000;
    const samples = [sample(end - REACH_MS - 2000, 70), sample(end - REACH_MS + 2000, 400), sample(end, 1)];
    const { received } = readings(samples, [up(0)], end);
    expect(received[0]).toEqual({ fromMs: end - REACH_MS, atMs: end - REACH_MS + 2000, value: 100, follows: false });
    expect(received).toHaveLength(2);
  });
});

describe("a summary", () => {
  const reading = (fromMs: number, atMs: number, value: number): Reading => ({ fromMs, atMs, value, follows: true });
  const all = [reading(0, 2, 40), reading(2, 4, 80), reading(4, 30, 1)];

  test("has the middle of all measurements", () => {
    expect(summary(all, "each")).toEqual({ latest: 1, least: 1, median: 40, most: 80 });
  });

  test("has the middle of the time", () => {
    expect(summary(all, "time")?.median).toBe(1);
  });

  test("of nothing is nothing", () => {
    expect(summary([], "time")).toBeNull();
  });
});
