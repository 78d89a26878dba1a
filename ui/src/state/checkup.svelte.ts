/** A look at all that a connection needs: made when a person asks, one at a time. */
import type { Outcome } from "../backend";
import type { FindingView } from "../backend/generated/FindingView";
import type { ViewError } from "../backend/generated/ViewError";

/** How the look stands. */
export type Standing =
  | { kind: "resting" }
  | { kind: "looking" }
  | { kind: "found"; findings: readonly FindingView[]; atMs: number }
  | { kind: "refused"; error: ViewError };

/** The latest look. */
export class Checkup {
  standing = $state.raw<Standing>({ kind: "resting" });
  readonly #ask: () => Promise<Outcome>;

  constructor(ask: () => Promise<Outcome>) {
    this.#ask = ask;
  }

  /** Looks now, unless somebody is looking already. */
  async look(): Promise<void> {
    if (this.standing.kind === "looking") return;
    this.standing = { kind: "looking" };
    const outcome = await this.#ask();
    this.standing = standingAfter(outcome);
  }
}

function standingAfter(outcome: Outcome): Standing {
  if (outcome.kind === "refused") return { kind: "refused", error: outcome.error };
  if (outcome.answer.answer !== "findings") {
    return { kind: "refused", error: { code: "unsupported", detail: null } };
  }
  return { kind: "found", findings: outcome.answer.findings, atMs: Date.now() };
}
