import { describe, expect, test } from "vitest";

import { folder, scene } from "../backend/fake_scenes";
import { entries, LISTED_MAX, matches } from "./palette";

const all = entries(scene("synced", 0));
const found = (typed: string, among = all) => matches(among, typed).entries.map(({ name }) => name);
const named = (...names: string[]) =>
  entries({ ...scene("empty", 0), folders: names.map((name) => folder(name, name, "/")) }).filter(
    ({ kind }) => kind === "folder",
  );

describe("what can be chosen", () => {
  test("are actions, screens, invitations, folders and devices, in this order", () => {
    const view = { ...scene("synced", 0), invitations: scene("invited", 0).invitations };
    const kinds = entries(view).map(({ kind }) => kind);
    expect([...new Set(kinds)]).toEqual(["action", "screen", "invitation", "folder", "device"]);
    expect(new Set(entries(view).map(({ id }) => id)).size).toBe(kinds.length);
  });

  test("leads to its own place", () => {
    expect(all.find(({ name }) => name === "Photos")?.place).toEqual({ at: "folder", folder: "photos", tab: "files" });
    expect(all.find(({ name }) => name === "Cellar NAS")?.place).toEqual({ at: "device", peer: "nas" });
  });

  test("shows what a name would hide", () => {
    expect(named("a\u202eb").map(({ name }) => name)).toEqual(["a⟨U+202E⟩b"]);
  });
});

describe("what is typed", () => {
  test("is nothing at first, and then all is there", () => {
    expect(found("  ")).toEqual(all.slice(0, LISTED_MAX).map(({ name }) => name));
  });

  test("is nearest to how a name begins, then a word, then the middle of one, then its letters in order", () => {
    const among = named("Great iron notes", "Burning", "The inner room", "In sync");
    expect(found("in", among)).toEqual(["In sync", "The inner room", "Burning", "Great iron notes"]);
  });

  test("may have gaps only after a word's beginning", () => {
    expect(found("ann", named("Johanna", "A nun", "Banana"))).toEqual(["Johanna", "A nun"]);
    expect(found("gp", named("Garden plans", "Big pond"))).toEqual(["Garden plans"]);
  });

  test("need not mind case, marks or the order of words", () => {
    expect(found("CAFE", named("Café photos"))).toEqual(["Café photos"]);
    expect(found("pho caf", named("Café photos"))).toEqual(["Café photos"]);
    expect(found("書", named("書斎"))).toEqual(["書斎"]);
  });

  test("may match nothing", () => {
    expect(matches(all, "no such thing")).toEqual({ entries: [], more: 0 });
  });
});

test("a thousand folders are a short list, and the rest is counted", () => {
  const many = named(...Array.from({ length: 1000 }, (_, number) => `Folder ${number}`));
  const { entries: listed, more } = matches(many, "folder");
  expect([listed.length, more]).toEqual([LISTED_MAX, 1000 - LISTED_MAX]);
});
