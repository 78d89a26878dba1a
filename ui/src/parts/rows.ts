/** Where keys lead in a list of rows, and which of its rows are drawn. */

/** Where a key leads from a row of `count`; `null` when it leads nowhere. */
export function step(key: string, row: number, count: number, rowsInSight: number): number | null {
  const bounded = (place: number) => Math.min(count - 1, Math.max(0, place));
  if (count === 0) return null;
  switch (key) {
    case "ArrowDown":
      return bounded(row + 1);
    case "ArrowUp":
      return bounded(row - 1);
    case "PageDown":
      return bounded(row + rowsInSight);
    case "PageUp":
      return bounded(row - rowsInSight);
    case "Home":
      return 0;
    case "End":
      return count - 1;
    default:
      return null;
  }
}

/** Rows that are drawn: those in sight and some around, so that scrolling shows no hole. */
export function drawn(
  count: number,
  rowHeight: number,
  top: number,
  height: number,
): { from: number; to: number } {
  const from = Math.max(0, Math.floor(top / rowHeight) - ROWS_AROUND);
  const to = Math.min(count, Math.ceil((top + height) / rowHeight) + ROWS_AROUND);
  return { from: Math.min(from, count), to: Math.max(0, to) };
}

/** Rows drawn beyond what is in sight: 12, more than a wheel's turn and far from slow. */
const ROWS_AROUND = 12;
