import { describe, expect, test } from "vitest";

import { scene } from "../backend/fake_scenes";
import { bannerText, bannerWeight } from "../text/banners";
import { banners } from "./banners";

const view = scene("full", 0);
const of = (id: string) => {
  const folder = view.folders.find((each) => each.id === id);
  if (!folder) throw new Error(`no folder ${id}`);
  return banners(folder, view);
};

describe("what stands in a folder", () => {
  test.each([
    ["disk", ["root"]],
    ["backup", ["braked"]],
    ["notes", ["conflicts"]],
    ["music", ["local_changes", "held"]],
    ["site", ["differing"]],
    ["archive", []],
    ["photos", []],
  ])("of the folder %s is %j", (id, kinds) => {
    expect(of(id).map(({ kind }) => kind)).toEqual(kinds);
  });

  test("says who, how much and what to do", () => {
    const [braked] = of("backup");
    if (!braked) throw new Error("no banner");
    expect(bannerText(braked).what).toBe("Anna's ThinkPad wants to delete 1,204 files.");
    expect(bannerWeight(braked)).toBe("problem");
  });

  test("tells a mass change from what comes back after a long absence", () => {
    const backup = view.folders.find(({ id }) => id === "backup");
    if (!backup) throw new Error("no folder");
    const said = (waits: { deletes: number; overwrites: number; revives: number }) => {
      const [braked] = banners({ ...backup, braked: [{ peer: "anna", ...waits }] }, view);
      if (!braked) throw new Error("no banner");
      return bannerText(braked);
    };
    const back = said({ deletes: 0, overwrites: 0, revives: 12 });
    expect(back.what).toBe("Anna's ThinkPad wants to bring back 12 entries deleted while it was away.");
    expect(back.todo).toContain("not seen for long");
    const both = said({ deletes: 1, overwrites: 0, revives: 3 });
    expect(both.what).toBe("Anna's ThinkPad wants to delete 1 file and bring back 3 entries deleted while it was away.");
    expect(both.todo).toContain("much at once");
  });

  test("tells what a power cut has taken", () => {
    const photos = view.folders.find(({ id }) => id === "photos");
    if (!photos) throw new Error("no folder");
    const [taken] = banners({ ...photos, spoiled: 2 }, view);
    if (!taken) throw new Error("no banner");
    expect(bannerText(taken).what).toBe("2 files were taken by a power cut.");
    expect(bannerWeight(taken)).toBe("note");
  });

  test("differs by the folder's direction", () => {
    const both = view.folders.map((folder) => ({
      ...folder,
      settings: { ...folder.settings, mode: "two_way" as const },
    }));
    const kinds = both.flatMap((folder) => banners(folder, view).map(({ kind }) => kind));
    expect(kinds).not.toContain("local_changes");
    expect(kinds).not.toContain("differing");
  });
});
