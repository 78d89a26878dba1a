/**
 * The rules of a folder while a person writes them: the texts, what they would match of what lies
 * here, and which lines are no rule. Nothing is used before it is saved.
 */
import type { FolderSettingsView } from "../backend/generated/FolderSettingsView";
import type { ViewError } from "../backend/generated/ViewError";
import type { Commanded } from "./pages";

/** What rules match, as far as is known. */
export type Matches =
  | { kind: "asking" }
  | { kind: "known"; paths: string[]; count: number; badLines: [string, number][] };

/** A try begins 300 ms after the last key: shorter than a glance, longer than between two keys. */
const PAUSE_MS = 300;

/** Most paths that are shown: what fits beside the rules. */
const SHOWN_MAX = 12;

/** The rules of one folder. */
export class Rules {
  shared = $state("");
  local = $state("");
  matches = $state.raw<Matches>({ kind: "asking" });
  error = $state.raw<ViewError | null>(null);
  #saved = $state.raw({ shared: "", local: "" });
  readonly isChanged: boolean = $derived(
    this.shared !== this.#saved.shared || this.local !== this.#saved.local,
  );
  readonly #of: Commanded;
  readonly #folder: string;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #question = 0;

  constructor(of: Commanded, folder: string) {
    this.#of = of;
    this.#folder = folder;
  }

  /** Reads the rules that hold. */
  async read(): Promise<void> {
    const outcome = await this.#of.command({ command: "rules", folder: this.#folder });
    if (outcome.kind === "refused") {
      this.error = outcome.error;
    } else if (outcome.answer.answer === "rules") {
      const { shared, local } = outcome.answer;
      this.#saved = { shared, local };
      this.discard();
    }
  }

  /** Tries what is written, after a pause. */
  tryout(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#try(), PAUSE_MS);
  }

  /** Numbers of lines that are no rule. */
  badLines(where: "shared" | "local"): number[] {
    if (this.matches.kind !== "known") return [];
    return this.matches.badLines.flatMap(([of, line]) => (of === where ? [line] : []));
  }

  /** Takes back what is not saved. */
  discard(): void {
    ({ shared: this.shared, local: this.local } = this.#saved);
  }

  /** Uses the rules from now on; `settings` are those of the folder. */
  async save(settings: FolderSettingsView): Promise<boolean> {
    const { shared, local } = this;
    if (shared !== this.#saved.shared) {
      const outcome = await this.#of.command({ command: "set_rules", folder: this.#folder, shared });
      if (outcome.kind === "refused") return this.#refused(outcome.error);
      this.#saved = { ...this.#saved, shared };
    }
    if (local !== this.#saved.local) {
      const outcome = await this.#of.command({
        command: "configure_folder",
        folder: this.#folder,
        settings: { ...settings, local_rules: local },
      });
      if (outcome.kind === "refused") return this.#refused(outcome.error);
      this.#saved = { ...this.#saved, local };
    }
    this.error = null;
    return true;
  }

  /** Tries no more. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#question += 1;
  }

  async #try(): Promise<void> {
    const question = (this.#question += 1);
    const { shared, local } = this;
    const outcome = await this.#of.command({
      command: "preview_rules",
      folder: this.#folder,
      shared,
      local,
      limit: SHOWN_MAX,
    });
    if (question !== this.#question) return;
    if (outcome.kind === "refused") {
      this.error = outcome.error;
    } else if (outcome.answer.answer === "matches") {
      const { paths, count, bad_lines: badLines } = outcome.answer;
      this.matches = { kind: "known", paths, count, badLines };
    }
  }

  #refused(error: ViewError): false {
    this.error = error;
    return false;
  }
}
