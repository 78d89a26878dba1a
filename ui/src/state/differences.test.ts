import { describe, expect, test } from "vitest";

import { alone, sides, type Line } from "./differences";

const drawn = (lines: Line[]) =>
  lines.map((line) => {
    if (line.kind === "gap") return "_";
    if (line.kind === "left_out") return `… ${line.count}`;
    if (line.kind === "same") return line.text;
    return `* ${line.pieces.map(({ text, isMarked }) => (isMarked ? `[${text}]` : text)).join("")}`;
  });

describe("two texts side by side", () => {
  test("are marked where they differ, at the same height", () => {
    const { left, right } = sides("flour\nmilk\nsalt\n", "flour\nbutter\ncream\nsalt\n");
    expect(drawn(left)).toEqual(["flour", "* milk", "_", "salt"]);
    expect(drawn(right)).toEqual(["flour", "* butter", "* cream", "salt"]);
  });

  test("leave out long runs of equal lines", () => {
    const many = Array.from({ length: 40 }, (_, line) => `line ${line}`).join("\n");
    const { left, right } = sides(`${many}\nend\n`, `${many}\nfin\n`);
    expect(drawn(left)).toEqual(["… 37", "line 37", "line 38", "line 39", "* [end]"]);
    expect(left).toHaveLength(right.length);
  });

  test("are marked by their words where line stands against line", () => {
    const { left, right } = sides("bake for 30 minutes\n", "bake for 45 minutes\n");
    expect(drawn(left)).toEqual(["* bake for [30] minutes"]);
    expect(drawn(right)).toEqual(["* bake for [45] minutes"]);
  });

  test("that share nothing are all difference", () => {
    const { left, right } = sides("a", "");
    expect([drawn(left), drawn(right)]).toEqual([["* a"], ["_"]]);
  });

  test("of other systems end their lines in other ways", () => {
    expect(drawn(alone("a\r\nb\n"))).toEqual(["a", "b"]);
  });

  test("that are huge and strange to each other come at once", () => {
    const strange = (seed: number) =>
      Array.from({ length: 20_000 }, (_, line) => `${(line * seed) % 104_729}`).join("\n");
    const { left, right } = sides(strange(7), strange(11));
    expect(left).toHaveLength(right.length);
  });
});
