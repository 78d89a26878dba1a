/**
 * A list that comes in pages: the pages that were asked for so far, whether there are more, and a
 * fresh look that keeps the place. One question at a time; an answer to an older question than the
 * last one is dropped.
 */
import type { ViewError } from "../backend/generated/ViewError";

/** What became of asking for a page. */
export type Page<T> =
  | { kind: "page"; entries: readonly T[]; more: boolean }
  | { kind: "refused"; error: ViewError };

/** How a list stands. */
export type Standing =
  | { kind: "asking" }
  | { kind: "whole" }
  | { kind: "more" }
  | { kind: "refused"; error: ViewError };

/** Asks for the page after an entry; the first one after `null`. */
export type Ask<T> = (after: T | null, limit: number) => Promise<Page<T>>;

/** Most entries of a page: what the engine gives at once. */
export const PAGE = 1000;

/** A list that changes is read again after 700 ms: soon to the eye, and seldom while much changes. */
const SOON_MS = 700;

/** A list in pages. */
export class Paged<T> {
  entries = $state.raw<readonly T[]>([]);
  standing = $state.raw<Standing>({ kind: "asking" });
  /** Whether any page has come yet. */
  isFirst = $state.raw(true);
  readonly #ask: Ask<T>;
  readonly #limit: number;
  #question = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(ask: Ask<T>, limit = PAGE) {
    this.#ask = ask;
    this.#limit = limit;
  }

  /** Asks for the next page, unless an answer is awaited or there is none. */
  async more(): Promise<void> {
    if (this.standing.kind !== "more") return;
    this.standing = { kind: "asking" };
    await this.#read(this.entries, 1);
  }

  /**
   * Looks again from the page on that holds `from`, as far as `to`. What lies after is asked for when
   * it is wanted.
   */
  async look(from = 0, to = 0): Promise<void> {
    const start = Math.min(from - (from % this.#limit), this.entries.length);
    const pages = Math.max(1, Math.ceil((to - start) / this.#limit));
    await this.#read(this.entries.slice(0, start), pages);
  }

  /** Looks again in a while at what is in sight then; once, however often it is wanted until then. */
  soon(sight: () => { from: number; to: number }): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      const { from, to } = sight();
      void this.look(from, to);
    }, SOON_MS);
  }

  /** Looks no more. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#question += 1;
  }

  /** Reads up to so many pages behind `before`. */
  async #read(before: readonly T[], pages: number): Promise<void> {
    const question = (this.#question += 1);
    let entries = before;
    for (let left = pages; ; left -= 1) {
      const page = await this.#ask(entries.at(-1) ?? null, this.#limit);
      if (question !== this.#question) return;
      if (page.kind === "refused") {
        this.standing = page;
        return;
      }
      entries = [...entries, ...page.entries];
      if (page.more && left > 1) continue;
      this.entries = entries;
      this.standing = { kind: page.more ? "more" : "whole" };
      this.isFirst = false;
      return;
    }
  }
}
