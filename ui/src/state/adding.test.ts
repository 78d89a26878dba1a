import { expect, test, vi } from "vitest";

import type { Outcome } from "../backend";
import type { CommandView } from "../backend/generated/CommandView";
import { Adding } from "./adding.svelte";

const refused = (code: string): Outcome => ({ kind: "refused", error: { code, detail: null } });
const accepted: Outcome = { kind: "accepted", answer: { answer: "accepted" } };
const made: Outcome = { kind: "accepted", answer: { answer: "folder", id: "photos" } };

function adding(...outcomes: Outcome[]) {
  const command = vi.fn((_: CommandView) => Promise.resolve(outcomes.shift() ?? accepted));
  return { adding: new Adding({ command }), given: () => command.mock.calls.map(([each]) => each) };
}

test("a folder is added, and everybody is invited", async () => {
  const { adding: one, given } = adding(made);
  expect(await one.add("/a", "A", ["anna", "nas"])).toEqual({ kind: "added", folder: "photos", missing: [] });
  expect(given()).toEqual([
    { command: "add_folder", root: "/a", label: "A" },
    { command: "invite_peer", folder: "photos", peer: "anna" },
    { command: "invite_peer", folder: "photos", peer: "nas" },
  ]);
});

test("a folder that is refused invites nobody", async () => {
  const { adding: one, given } = adding(refused("root_missing"));
  expect(await one.add("/a", "A", ["anna"])).toMatchObject({ kind: "refused", error: { code: "root_missing" } });
  expect([given().length, one.isBusy]).toEqual([1, false]);
});

test("one who cannot be invited keeps nobody else out, and is tried again alone", async () => {
  const { adding: one, given } = adding(made, refused("unknown_peer"));
  const half = await one.add("/a", "A", ["anna", "nas"]);
  expect(half).toMatchObject({ kind: "added", missing: [{ peer: "anna", error: { code: "unknown_peer" } }] });
  expect(await one.again()).toMatchObject({ kind: "added", missing: [] });
  expect(given().slice(3)).toEqual([{ command: "invite_peer", folder: "photos", peer: "anna" }]);
});

test("an engine that answers something else is of another version", async () => {
  const { adding: one } = adding(accepted);
  expect(await one.add("/a", "A", [])).toMatchObject({ kind: "refused", error: { code: "unsupported" } });
  expect(await one.again()).toMatchObject({ kind: "refused" });
});

test("another folder may follow one that is added", async () => {
  const { adding: one } = adding(made);
  await one.add("/a", "A", []);
  one.anew();
  expect(one.standing).toEqual({ kind: "filling" });
});
