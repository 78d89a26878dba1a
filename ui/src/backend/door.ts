/**
 * The door through which views come in. Their shape is generated from the engine's, so only what
 * types cannot say is held here: a number above 2^53 would silently be another number, and what comes over a
 * network may be anything.
 */
import type { View } from "./generated/View";
import type { ViewError } from "./generated/ViewError";

/** What a line of the device's events says. */
export type Line = { kind: "view"; view: View } | { kind: "ended" };

/** Reads a line of events; throws when it is none. */
export function asLine(text: string): Line {
  const line: unknown = JSON.parse(text);
  assertExact(line);
  const kind = typeof line === "object" && line !== null && "kind" in line ? line.kind : null;
  if (kind !== "view" && kind !== "ended") throw new Error("not a line of events");
  return line as Line;
}

/** What went wrong, as far as it says so. */
export function asViewError(error: unknown): ViewError {
  if (typeof error === "object" && error !== null && "code" in error) {
    return error as ViewError;
  }
  return { code: "shell", detail: String(error) };
}

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
