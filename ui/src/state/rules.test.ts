import { expect, test, vi } from "vitest";

import type { Outcome } from "../backend";
import type { CommandView } from "../backend/generated/CommandView";
import { FOLDER_SETTINGS } from "../backend/fake_scenes";
import { Rules } from "./rules.svelte";

function engine() {
  const given: CommandView[] = [];
  const command = (command: CommandView): Promise<Outcome> => {
    given.push(command);
    const answer =
      command.command === "rules"
        ? ({ answer: "rules", shared: "*.tmp\n", local: "" } as const)
        : command.command === "preview_rules"
          ? { answer: "matches" as const, paths: ["a.tmp"], count: 1, bad_lines: [["local", 2] satisfies [string, number]] }
          : ({ answer: "accepted" } as const);
    return Promise.resolve({ kind: "accepted", answer });
  };
  return { given, command };
}

test("rules are tried after a pause of the hand, once", async () => {
  vi.useFakeTimers();
  const { given, command } = engine();
  const rules = new Rules({ command }, "notes");
  await rules.read();
  rules.local = "[";
  for (let key = 0; key < 5; key += 1) rules.tryout();
  await vi.runAllTimersAsync();
  expect(given.map(({ command }) => command)).toEqual(["rules", "preview_rules"]);
  expect(rules.matches).toMatchObject({ kind: "known", count: 1 });
  expect([rules.badLines("local"), rules.badLines("shared")]).toEqual([[2], []]);
  vi.useRealTimers();
});

test("only what has changed is saved, and can be taken back before", async () => {
  const { given, command } = engine();
  const rules = new Rules({ command }, "notes");
  await rules.read();
  rules.shared = "*.log\n";
  rules.discard();
  expect([rules.shared, rules.isChanged]).toEqual(["*.tmp\n", false]);
  rules.local = "/mine\n";
  expect(rules.isChanged).toBe(true);
  expect(await rules.save(FOLDER_SETTINGS)).toBe(true);
  expect(given.slice(1)).toMatchObject([{ command: "configure_folder", settings: { local_rules: "/mine\n" } }]);
  expect(rules.isChanged).toBe(false);
});
