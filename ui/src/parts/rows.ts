/** Where keys lead in a list of rows, which of its rows are drawn, and in which elements. */

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

/** An element of the page, and the row that is drawn in it. */
export interface Seat {
  readonly seat: number;
  readonly row: number;
}

/**
 * Seats for these rows, in their order. A row that had one keeps it, and with it the focus. Others take those that became
 * free, because to fill an element anew costs far less than to make one.
 */
export function seated(before: readonly Seat[], rows: readonly number[]): Seat[] {
  const wanted = new Set(rows);
  const kept = new Map(before.filter(({ row }) => wanted.has(row)).map(({ seat, row }) => [row, seat]));
  const free = before.filter(({ row }) => !wanted.has(row)).map(({ seat }) => seat);
  let next = Math.max(-1, ...before.map(({ seat }) => seat)) + 1;
  return rows.map((row) => ({ row, seat: kept.get(row) ?? free.shift() ?? next++ }));
}

/** Rows drawn beyond what is in sight: 12, more than a wheel's turn and far from slow. */
const ROWS_AROUND = 12;
