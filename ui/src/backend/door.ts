/**
 * The door through which views come in. Their shape is generated from the engine's, so only what
 * types cannot say is held here: a number above 2^53 would silently be another number.
 */

/** Throws when `value` holds a number that JavaScript cannot hold exactly. */
export function assertExact(value: unknown): void {
  if (typeof value === "number") {
    if (!Number.isFinite(value) || Math.abs(value) > Number.MAX_SAFE_INTEGER) {
      throw new Error("a number is too large to be exact");
    }
  } else if (Array.isArray(value)) {
    value.forEach(assertExact);
  } else if (typeof value === "object" && value !== null) {
    Object.values(value).forEach(assertExact);
  }
}
