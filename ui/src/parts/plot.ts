/** How readings become lines of a small plot: a box of 360 by 100, a point for each second. */

/** The box that lines are drawn in. */
export const BOX = { width: 360, height: 100 } as const;

/** A value that held, or was reached, over a time. */
export interface Mark {
  fromMs: number;
  atMs: number;
  value: number;
  /** Whether the line goes on from the mark before. */
  follows: boolean;
}

/** What a plot shows: a time, and values from none to the top. */
export interface Frame {
  fromMs: number;
  toMs: number;
  top: number;
}

/** A line, and what lies under it. */
export interface Drawn {
  line: string;
  area: string;
}

/**
 * The top of a scale that holds `most`, a number that is read at a glance; at least `least`, so that
 * what is nearly nothing looks like it.
 */
export function topOf(most: number, least: number): number {
  const wanted = Math.max(most, least);
  const power = 10 ** Math.floor(Math.log10(wanted));
  const step = STEPS.find((step) => step * power >= wanted) ?? 10;
  return step * power;
}

/** Marks as points that lines join. */
export function joined(marks: readonly Mark[], frame: Frame): Drawn {
  return drawn(marks, frame, ({ atMs, value }) => [[atMs, value]]);
}

/** Marks as steps, each as long as its value held. */
export function stepped(marks: readonly Mark[], frame: Frame): Drawn {
  return drawn(marks, frame, ({ fromMs, atMs, value }) => [
    [fromMs, value],
    [atMs, value],
  ]);
}

function drawn(marks: readonly Mark[], frame: Frame, points: (mark: Mark) => [ms: number, value: number][]): Drawn {
  const lines: string[][] = [];
  for (const mark of marks) {
    const found = points(mark).map(([ms, value]) => place(ms, value, frame));
    const last = lines.at(-1);
    if (last && mark.follows) last.push(...found);
    else lines.push(found);
  }
  const bottom = (point = "") => `${point.split(" ")[0]} ${BOX.height}`;
  return {
    // A line of one point has no length; round ends draw it as a dot.
    line: lines.map((points) => `M${points.join("L")}${points.length === 1 ? "h0" : ""}`).join(""),
    area: lines.map((points) => `M${bottom(points[0])}L${points.join("L")}L${bottom(points.at(-1))}Z`).join(""),
  };
}

function place(ms: number, value: number, frame: Frame): string {
  const x = ((ms - frame.fromMs) / (frame.toMs - frame.fromMs)) * BOX.width;
  const y = BOX.height - (value / frame.top) * BOX.height;
  return `${round(bounded(x, BOX.width))} ${round(bounded(y, BOX.height))}`;
}

function bounded(value: number, most: number): number {
  return Math.min(most, Math.max(0, value));
}

/** A tenth of a point is finer than any screen. */
function round(value: number): number {
  return Math.round(value * 10) / 10;
}

/** Tops of scales within a power of ten: numbers that people halve in their heads. */
const STEPS = [1, 1.5, 2, 3, 4, 5, 6, 8, 10] as const;
