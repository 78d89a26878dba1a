import { describe, expect, test } from "vitest";

import { folder, scene } from "../backend/fake_scenes";
import type { View } from "../backend/generated/View";
import { noticeText } from "../text/notices";
import { AWAY_MS, bundled, news, NOTHING_KNOWN, placeOf, still, type Fact } from "./notices";

/** What is new in each view after the first, a second apart. */
function told(...views: View[]): Fact[][] {
  let known = NOTHING_KNOWN;
  const all = views.map((view, number) => {
    const next = news(view, known, number * 1000);
    known = next.known;
    return next.facts;
  });
  return all.slice(1);
}

const paired = scene("paired", 0);
const invited: View = { ...paired, invitations: [{ peer: "anna", folder: "recipes", label: "Recipes" }] };
const braked: View = {
  ...paired,
  folders: [{ ...folder("backup", "Backup", "/b"), braked: [{ peer: "anna", deletes: 9, overwrites: 0, revives: 0 }] }],
};
const conflicts = (count: number, state: "in_sync" | "opening" = "in_sync"): View => ({
  ...paired,
  folders: [{ ...folder("notes", "Notes", "/n"), conflicts: count, state: { state } }],
});

/** What the notices of these things say. */
const said = (...facts: Fact[]) => bundled(facts).map((notice) => noticeText(notice));

describe("what is new", () => {
  test("is nothing while nothing changes", () => {
    expect(told(invited, invited, braked, braked)).toEqual([[], [expect.objectContaining({ kind: "braked" })], []]);
  });

  test("is a peer that was none", () => {
    const [facts] = told(scene("empty", 0), { ...paired, peers: paired.peers.slice(0, 1) });
    expect(facts).toEqual([{ kind: "paired", peer: "anna", name: "Anna's ThinkPad" }]);
  });

  test("is an invitation, once, however often it comes back", () => {
    const [come, gone, back] = told(paired, invited, paired, invited);
    expect(come).toEqual([
      { kind: "invited", peer: "anna", name: "Anna's ThinkPad", folder: "recipes", label: "Recipes" },
    ]);
    expect([gone, back]).toEqual([[], []]);
  });

  test("is a mass change that waits, and the next one", () => {
    const first = news(braked, news(paired, NOTHING_KNOWN, 0).known, 0);
    expect(first.facts).toEqual([
      { kind: "braked", folder: "backup", label: "Backup", peer: "anna", name: "Anna's ThinkPad" },
    ]);
    const gone = news(paired, first.known, 1000).known;
    expect(news(braked, gone, 2000).facts).toEqual([]);
    const long = news(paired, gone, AWAY_MS).known;
    expect(news(braked, long, AWAY_MS + 1000).facts).toHaveLength(1);
  });

  test("is more conflicts in a folder than before, and not fewer", () => {
    expect(told(conflicts(1), conflicts(3), conflicts(2), conflicts(2), conflicts(3))).toEqual([
      [{ kind: "conflicts", folder: "notes", label: "Notes", count: 3 }],
      [],
      [],
      [{ kind: "conflicts", folder: "notes", label: "Notes", count: 3 }],
    ]);
  });

  test("is no conflict of before that an opened folder tells of", () => {
    expect(told(conflicts(0, "opening"), conflicts(4))).toEqual([[]]);
    expect(told(conflicts(4), conflicts(0, "opening"), conflicts(4))).toEqual([[], []]);
    expect(told(paired, conflicts(4))).toEqual([[]]);
  });

  test("is left out when it is over", () => {
    const facts = told(paired, invited).flat();
    expect(still(facts, invited)).toEqual(facts);
    expect(still(facts, paired)).toEqual([]);
    const [more = []] = told(conflicts(1), conflicts(3));
    expect(still(more, conflicts(2))).toEqual([{ kind: "conflicts", folder: "notes", label: "Notes", count: 2 }]);
    expect(still(more, conflicts(0))).toEqual([]);
    const update: Fact = { kind: "update", version: "0.2.0" };
    expect(still([update], paired)).toEqual([update]);
  });
});

describe("a notice", () => {
  const one: Fact = { kind: "invited", peer: "anna", name: "Anna", folder: "recipes", label: "Recipes" };
  const two: Fact = { ...one, folder: "films", label: "Films" };

  test("tells one thing, and leads to it", () => {
    expect(said(one)).toEqual([
      {
        title: "Anna shares “Recipes” with you",
        body: "Choose where it shall lie on this computer. Nothing is copied before you accept.",
        open: "Accept…",
        later: "Later",
      },
    ]);
    expect(bundled([one]).map(placeOf)).toEqual([{ at: "accept", peer: "anna", folder: "recipes" }]);
  });

  test("tells several of one kind, and leads to where they are listed", () => {
    const peer: Fact = { kind: "paired", peer: "anna", name: "Anna" };
    expect(said(peer, one, two).map(({ title }) => title)).toEqual(["Paired with Anna", "2 folders are shared with you"]);
    expect(bundled([peer, one, two]).map(placeOf)).toEqual([{ at: "compare", peer: "anna" }, { at: "folders" }]);
  });

  test("counts what it tells of one folder twice as it is now", () => {
    const some = (count: number): Fact => ({ kind: "conflicts", folder: "notes", label: "Notes", count });
    expect(said(some(1), some(3)).map(({ title }) => title)).toEqual(["3 conflicts in “Notes”"]);
    const other: Fact = { kind: "conflicts", folder: "work", label: "Work", count: 1 };
    expect(said(some(3), other).map(({ title }) => title)).toEqual(["4 conflicts in 2 folders"]);
    expect(bundled([some(3)]).map(placeOf)).toEqual([{ at: "folder", folder: "notes", tab: "conflicts" }]);
  });

  test("of a mass change and of an update says that nothing happens by itself", () => {
    const waits: Fact = { kind: "braked", folder: "backup", label: "Backup", peer: "anna", name: null };
    expect(said(waits, { kind: "update", version: "0.2.0" }).map(({ title }) => title)).toEqual([
      "unknown device wants to change much in “Backup”",
      "Towline 0.2.0 is ready",
    ]);
    expect(bundled([waits]).map(placeOf)).toEqual([{ at: "folder", folder: "backup", tab: "files" }]);
  });

  test("shows what hides in names", () => {
    const titles = said({ ...one, name: "An\u202ena", label: "a\nb" }).map(({ title }) => title);
    expect(titles).toEqual(["An⟨U+202E⟩na shares “a⟨U+000A⟩b” with you"]);
  });
});
