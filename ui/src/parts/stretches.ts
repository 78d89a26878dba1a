/** A long list in stretches, so that those out of sight need not be drawn. */

/** Entries of a stretch: 20, more than a screen shows, and drawn within a frame. */
const LENGTH = 20;

/** The entries in their order, some at a time. */
export function stretches<T>(entries: readonly T[]): T[][] {
  return Array.from({ length: Math.ceil(entries.length / LENGTH) }, (_, place) =>
    entries.slice(place * LENGTH, (place + 1) * LENGTH),
  );
}
