/** Sentences for codes: what happened, and what a person can do. Codes are the engine's. */
import type { ViewError } from "../backend/generated/ViewError";
import type { Advice } from "./en";
import { words } from "./index";
import { plain } from "./names";

/** Where a code comes from; the same code may mean different things. */
export type CodeKind = keyof typeof words.codes;

/** The advice for a code; an honest general one for codes of a newer engine. */
export function advice(kind: CodeKind, code: string): Advice {
  const known: Record<string, Advice> = words.codes[kind];
  return Object.hasOwn(known, code) ? (known[code] ?? words.unknownCode(code)) : words.unknownCode(plain(code));
}

/** The advice for a refused command, in one sentence after the other. */
export function refusal(error: ViewError): string {
  const { what, todo } = advice("refusal", error.code);
  return `${what} ${todo}`;
}
