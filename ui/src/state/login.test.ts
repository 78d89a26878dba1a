import { expect, test } from "vitest";

import type { AtLogin, Outcome } from "../backend";
import { Login } from "./login.svelte";

const on: AtLogin = { kind: "known", isStarted: true };
const off: AtLogin = { kind: "known", isStarted: false };

/** A system that answers what is next, and does what it is told unless it refuses. */
function login(refuses: boolean, ...answers: AtLogin[]) {
  const outcome: Outcome = refuses
    ? { kind: "refused", error: { code: "at_login", detail: null } }
    : { kind: "accepted", answer: { answer: "accepted" } };
  return new Login({
    atLogin: () => Promise.resolve(answers.shift() ?? off),
    setAtLogin: () => Promise.resolve(outcome),
  });
}

test("the system is asked, and asked again after a change", async () => {
  const one = login(false, off, on);
  await one.ask();
  expect(one.standing).toEqual(off);
  await one.set(true);
  expect([one.standing, one.fault]).toEqual([on, undefined]);
});

test("a change that is refused says so, and shows what is true", async () => {
  const one = login(true, off, off);
  await one.ask();
  await one.set(true);
  expect(one.standing).toEqual(off);
  expect(one.fault).toContain("could not be told");
});
