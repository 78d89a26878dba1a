import { describe, expect, test } from "vitest";

import { Paged, type Page } from "./paged.svelte";

/** A disk with numbered entries that can be asked in pages. */
function numbered(count: number) {
  const disk = { count, asked: 0 };
  const ask = (after: number | null, limit: number): Promise<Page<number>> => {
    disk.asked += 1;
    const first = after === null ? 0 : after + 1;
    const length = Math.max(0, Math.min(limit, disk.count - first));
    const entries = Array.from({ length }, (_, place) => first + place);
    return Promise.resolve({ kind: "page", entries, more: first + length < disk.count });
  };
  return { disk, ask };
}

describe("a list in pages", () => {
  test("grows page by page until it is whole", async () => {
    const { ask } = numbered(25);
    const list = new Paged(ask, 10);
    expect(list.isFirst).toBe(true);
    await list.look();
    expect([list.entries.length, list.standing.kind]).toEqual([10, "more"]);
    await list.more();
    await list.more();
    await list.more();
    expect([list.entries.length, list.standing.kind]).toEqual([25, "whole"]);
  });

  test("asks once, however often more is wanted", async () => {
    const { disk, ask } = numbered(25);
    const list = new Paged(ask, 10);
    await list.look();
    await Promise.all([list.more(), list.more(), list.more()]);
    expect([disk.asked, list.entries.length]).toEqual([2, 20]);
  });

  test("looks again at what is in sight and keeps what lies before", async () => {
    const { disk, ask } = numbered(100);
    const list = new Paged(ask, 10);
    await list.look();
    for (let page = 1; page < 5; page += 1) await list.more();
    disk.asked = 0;
    await list.look(25, 38);
    expect([disk.asked, list.entries.length, list.standing.kind]).toEqual([2, 40, "more"]);
    expect(list.entries.every((entry, place) => entry === place)).toBe(true);
  });

  test("is shorter after what it held is gone", async () => {
    const { disk, ask } = numbered(30);
    const list = new Paged(ask, 10);
    await list.look(0, 30);
    disk.count = 4;
    await list.look(0, 30);
    expect([list.entries.length, list.standing.kind]).toEqual([4, "whole"]);
  });

  test("drops the answer to an older question", async () => {
    const answers: ((page: Page<string>) => void)[] = [];
    const list = new Paged<string>(() => new Promise((answer) => answers.push(answer)), 10);
    const [first, second] = [list.look(), list.look()];
    answers[1]?.({ kind: "page", entries: ["new"], more: false });
    answers[0]?.({ kind: "page", entries: ["old"], more: false });
    await Promise.all([first, second]);
    expect(list.entries).toEqual(["new"]);
  });

  test("says why there is nothing", async () => {
    const error = { code: "unknown_folder", detail: null };
    const list = new Paged<string>(() => Promise.resolve({ kind: "refused", error }));
    await list.look();
    expect(list.standing).toEqual({ kind: "refused", error });
  });
});
