/**
 * Where two texts differ, line by line, so that both can stand side by side: equal lines at the same
 * height, a gap where the other side has more. Long runs of equal lines are left out.
 */
import { diffLines, diffWordsWithSpace } from "diff";

/** A piece of a line that differs; marked where the other side has something else. */
export interface Piece {
  text: string;
  isMarked: boolean;
}

/** A line of one side. */
export type Line =
  | { kind: "same"; text: string }
  | { kind: "differs"; pieces: Piece[] }
  | { kind: "gap" }
  | { kind: "left_out"; count: number };

/** Both sides, with as many lines each. */
export interface Sides {
  left: Line[];
  right: Line[];
}

/** Equal lines that are shown around a difference. */
const AROUND = 3;

/** Edits beyond which texts are just different: 600, found in some 60 ms at the slowest. */
const EDITS_MAX = 600;

/** Two texts beside each other. */
export function sides(left: string, right: string): Sides {
  const parts = diffLines(left, right, { maxEditLength: EDITS_MAX });
  if (parts === undefined) return padded(lines(left), lines(right));
  const all: Sides = { left: [], right: [] };
  let [gone, come]: [string[], string[]] = [[], []];
  const settle = () => {
    const { left, right } = padded(gone, come);
    all.left.push(...left);
    all.right.push(...right);
    [gone, come] = [[], []];
  };
  parts.forEach((part, place) => {
    if (part.removed) gone.push(...lines(part.value));
    else if (part.added) come.push(...lines(part.value));
    else {
      settle();
      const same = shortened(lines(part.value), place > 0, place + 1 < parts.length);
      all.left.push(...same);
      all.right.push(...same);
    }
  });
  settle();
  return all;
}

/** A text with nothing beside it. */
export function alone(text: string): Line[] {
  return lines(text).map((text) => ({ kind: "same", text }));
}

function lines(text: string): string[] {
  return (text.endsWith("\n") ? text.slice(0, -1) : text).split(/\r?\n/);
}

/** Lines that differ, as many on each side; where each has its counterpart, words are compared. */
function padded(left: string[], right: string[]): Sides {
  if (left.length === right.length) {
    const pairs = left.map((text, place) => words(text, right[place] ?? ""));
    return { left: pairs.map(([line]) => line), right: pairs.map(([, line]) => line) };
  }
  const height = Math.max(left.length, right.length);
  const fill = (lines: string[]): Line[] =>
    Array.from({ length: height }, (_, place) => {
      const text = lines[place];
      return text === undefined ? { kind: "gap" } : { kind: "differs", pieces: [{ text, isMarked: false }] };
    });
  return { left: fill(left), right: fill(right) };
}

/** Two lines, the words marked that only one of them has. */
function words(left: string, right: string): [Line, Line] {
  const parts = diffWordsWithSpace(left, right, { maxEditLength: EDITS_MAX }) ?? [
    { value: left, removed: true, added: false },
    { value: right, removed: false, added: true },
  ];
  const side = (isOther: (part: { added: boolean; removed: boolean }) => boolean): Line => ({
    kind: "differs",
    pieces: parts.flatMap((part) =>
      isOther(part) ? [] : [{ text: part.value, isMarked: part.added || part.removed }],
    ),
  });
  return [side(({ added }) => added), side(({ removed }) => removed)];
}

/** Equal lines, those in the middle left out; a difference comes before or after them or not. */
function shortened(lines: string[], isBefore: boolean, isAfter: boolean): Line[] {
  const same = (texts: string[]): Line[] => texts.map((text) => ({ kind: "same", text }));
  const head = isBefore ? AROUND : 0;
  const tail = isAfter ? AROUND : 0;
  const count = lines.length - head - tail;
  if ((!isBefore && !isAfter) || count <= AROUND) return same(lines);
  const end = same(tail > 0 ? lines.slice(-tail) : []);
  return [...same(lines.slice(0, head)), { kind: "left_out", count }, ...end];
}
