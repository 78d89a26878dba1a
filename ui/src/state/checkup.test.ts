import { expect, test, vi } from "vitest";

import type { Outcome } from "../backend";
import { Checkup } from "./checkup.svelte";

const FOUND: Outcome = {
  kind: "accepted",
  answer: { answer: "findings", findings: [{ verdict: "fine", check: "lan_only" }] },
};

test("one look at a time, and the next one replaces it", async () => {
  const answers: ((outcome: Outcome) => void)[] = [];
  const ask = vi.fn(() => new Promise<Outcome>((answer) => answers.push(answer)));
  const checkup = new Checkup(ask);
  expect(checkup.standing.kind).toBe("resting");
  const looking = checkup.look();
  await checkup.look();
  expect([ask.mock.calls.length, checkup.standing.kind]).toEqual([1, "looking"]);
  answers[0]?.(FOUND);
  await looking;
  expect(checkup.standing).toMatchObject({ kind: "found", findings: [{ check: "lan_only" }] });
  void checkup.look();
  expect(ask).toHaveBeenCalledTimes(2);
});

test("a look that is refused, or answered by something else, says so", async () => {
  const error = { code: "stopping", detail: null };
  const outcomes: Outcome[] = [{ kind: "refused", error }, { kind: "accepted", answer: { answer: "accepted" } }];
  const checkup = new Checkup(() => Promise.resolve(outcomes.shift() ?? FOUND));
  await checkup.look();
  expect(checkup.standing).toEqual({ kind: "refused", error });
  await checkup.look();
  expect(checkup.standing).toMatchObject({ kind: "refused", error: { code: "unsupported" } });
  await checkup.look();
  expect(checkup.standing.kind).toBe("found");
});
