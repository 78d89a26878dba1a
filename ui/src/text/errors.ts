/** Sentences for codes: what happened, and what a person can do. Codes are the engine's. */
import { assertNever } from "../backend";
import type { ViewError } from "../backend/generated/ViewError";
import type { Standing } from "../state/paged.svelte";
import type { Advice } from "./en";
import { sentences, words } from "./index";
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
  return sentences(what, todo);
}

/** What stands after the last entry of a list. */
export type ListEnd =
  | { kind: "whole" }
  | { kind: "asking"; text: string }
  | { kind: "more"; text: string }
  | { kind: "refused"; text: string; again: string };

/** How a list that comes in pages ends. */
export function listEnd(standing: Standing): ListEnd {
  switch (standing.kind) {
    case "whole":
      return { kind: "whole" };
    case "asking":
      return { kind: "asking", text: words.list.asking };
    case "more":
      return { kind: "more", text: words.list.more };
    case "refused":
      return { kind: "refused", text: refusal(standing.error), again: words.list.again };
    default:
      return assertNever(standing);
  }
}
