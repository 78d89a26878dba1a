import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import type { Outcome } from "../backend";
import { network } from "../backend/fake_network";
import { ANNA } from "../backend/fake_scenes";
import { EVERY_MS, linksMark, Report, SOON_MS, type Page } from "./report.svelte";

const ANSWER: Outcome = { kind: "accepted", answer: { answer: "network", ...network("paired", [ANNA], 0) } };

/** A window that may be hidden. */
class Hideable extends EventTarget {
  visibilityState: Page["visibilityState"] = "visible";

  turn(to: Page["visibilityState"]): void {
    this.visibilityState = to;
    this.dispatchEvent(new Event("visibilitychange"));
  }
}

/** A report, how often it was asked for, and the window that it is shown in. */
function shown(answer: () => Promise<Outcome> = () => Promise.resolve(ANSWER)) {
  const ask = vi.fn(answer);
  const report = new Report(ask);
  const page = new Hideable();
  return { report, ask, page, leave: report.follow(page) };
}

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe("the report", () => {
  test("is asked for at once, and every two seconds while it is shown", async () => {
    const { report, ask, leave } = shown();
    await pass(0);
    expect(report.network?.links.map(({ peer }) => peer)).toEqual(["anna"]);
    await pass(2 * EVERY_MS);
    expect(ask).toHaveBeenCalledTimes(3);
    leave();
    await pass(10 * EVERY_MS);
    expect(ask).toHaveBeenCalledTimes(3);
  });

  test("is not asked for while the window is hidden, and at once when it is back", async () => {
    const { ask, page } = shown();
    await pass(0);
    page.turn("hidden");
    await pass(10 * EVERY_MS);
    expect(ask).toHaveBeenCalledTimes(1);
    page.turn("visible");
    expect(ask).toHaveBeenCalledTimes(2);
  });

  test("is not asked for when its window was hidden from the beginning", async () => {
    const page = new Hideable();
    page.visibilityState = "hidden";
    const ask = vi.fn(() => Promise.resolve(ANSWER));
    const report = new Report(ask);
    report.follow(page);
    report.soon();
    await pass(EVERY_MS);
    expect(ask).not.toHaveBeenCalled();
  });

  test("is asked for once, soon after many changes", async () => {
    const { report, ask } = shown();
    await pass(0);
    for (let change = 0; change < 5; change += 1) {
      report.soon();
      await pass(SOON_MS / 10);
    }
    await pass(SOON_MS / 2);
    expect(ask).toHaveBeenCalledTimes(2);
    await pass(EVERY_MS);
    expect(ask).toHaveBeenCalledTimes(3);
  });

  test("is asked for again soon when something changed during the question", async () => {
    const { report, ask } = shown();
    report.soon();
    await pass(SOON_MS);
    expect(ask).toHaveBeenCalledTimes(2);
  });

  test("waits for an answer that is late, and asks nothing meanwhile", async () => {
    const answers: ((outcome: Outcome) => void)[] = [];
    const { report, ask, leave } = shown(() => new Promise((answer) => answers.push(answer)));
    await pass(10 * EVERY_MS);
    expect(ask).toHaveBeenCalledTimes(1);
    leave();
    answers[0]?.(ANSWER);
    await pass(0);
    expect(report.network).toBeNull();
  });

  test("says why there is none, and goes on when there is one", async () => {
    const error = { code: "stopping", detail: null };
    const outcomes: Outcome[] = [{ kind: "refused", error }, { kind: "accepted", answer: { answer: "accepted" } }];
    const { report } = shown(() => Promise.resolve(outcomes.shift() ?? ANSWER));
    await pass(0);
    expect(report.error).toEqual(error);
    await pass(EVERY_MS);
    expect(report.error?.code).toBe("unsupported");
    await pass(EVERY_MS);
    expect([report.error, report.network === null]).toEqual([null, false]);
  });
});

test("a link has changed when its state or its path has, not when it has carried something", () => {
  const { link } = ANNA;
  if (link.state !== "up") throw new Error("not connected");
  const mark = linksMark([ANNA]);
  expect(linksMark([{ ...ANNA, link: { ...link, rtt_ms: 9, sent_bytes: 7 } }])).toBe(mark);
  expect(linksMark([{ ...ANNA, link: { ...link, path: { kind: "relayed" } } }])).not.toBe(mark);
  const waiting = (fault: string) => linksMark([{ ...ANNA, link: { state: "waiting", fault, retry_at_ms: 1 } }]);
  expect(waiting("closed")).not.toBe(waiting("timed_out"));
});
