/**
 * Tells a person who looks elsewhere what is new, by the system's notifications: what comes within a
 * moment is told at once, what the person has seen in the window or is over by then is not told. Whether they want
 * that, and which invitations they know, is kept by the browser.
 */
import type { Desktop, Told } from "../backend";
import type { View } from "../backend/generated/View";
import { noticeText } from "../text/notices";
import type { Place } from "./app.svelte";
import { bundled, news, NOTHING_KNOWN, placeOf, still, type Fact, type Known } from "./notices";

/** How the page is seen, and what the browser keeps for it. */
export interface Sight {
  /** Whether the person looks at the window now. */
  isLookedAt(): boolean;
  /** Throws where the browser keeps nothing. */
  storage(): Pick<Storage, "getItem" | "setItem">;
}

/** A person who never looks away. */
export const LOOKED_AT: Sight = {
  isLookedAt: () => true,
  storage: () => {
    throw new Error("nothing is kept");
  },
};

/** How long things are gathered: 1.5 s, in which a peer that connects has told all that it shares. */
export const GATHER_MS = 1500;

/** Under which name it is kept whether notices are wanted. */
const WANTED = "notices";

/** Under which name it is kept which invitations are known. */
const INVITED = "invitations";

/** Most invitations that are kept; the oldest are forgotten, and told again if they still stand. */
const INVITED_MAX = 500;

/** The notices of one window. */
export class Noticing {
  /** Shows them; `null` where nothing around the window can. */
  readonly #desktop: Pick<Desktop, "notify"> | null;
  readonly #sight: Sight;
  #known: Known;
  /** `null` before a first view, all of which was there at the start. */
  #view: View | null = null;
  #gathered: Fact[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #places = new Map<string, Place>();

  constructor(desktop: Pick<Desktop, "notify"> | null, sight: Sight) {
    this.#desktop = desktop;
    this.#sight = sight;
    this.#known = { ...NOTHING_KNOWN, seen: this.#invited() };
  }

  /** Whether the person wants notices; they do unless they have said otherwise. */
  get isWanted(): boolean {
    return this.#read(WANTED) !== "off";
  }

  /** Keeps whether the person wants notices. */
  want(isWanted: boolean): void {
    this.#keep(WANTED, isWanted ? "on" : "off");
  }

  /** Takes what the backend tells. */
  hear(told: Told, nowMs: number): void {
    if (told.kind !== "view") return;
    const isFirst = this.#view === null;
    const { facts, known } = news(told.view, this.#known, nowMs);
    this.#known = known;
    this.#view = told.view;
    if (facts.some(({ kind }) => kind === "invited")) this.#keepInvited();
    if (!isFirst) this.tell(facts);
  }

  /** Tells these things soon, together with others, unless the person sees them in the window. */
  tell(facts: readonly Fact[]): void {
    if (facts.length === 0 || this.#sight.isLookedAt()) return;
    this.#gathered.push(...facts);
    this.#timer ??= setTimeout(() => this.#flush(), GATHER_MS);
  }

  /** Where the notice of this tag leads; `null` for one that this window has not told. */
  placeOf(tag: string): Place | null {
    return this.#places.get(tag) ?? null;
  }

  #flush(): void {
    this.#timer = undefined;
    const gathered = this.#gathered.splice(0);
    if (this.#view === null || !this.isWanted || this.#sight.isLookedAt()) return;
    for (const notice of bundled(still(gathered, this.#view))) {
      // Of conflicts there is one notice, which says how many there are by now.
      const tag = notice.kind === "conflicts" ? notice.kind : `${notice.kind} ${this.#places.size}`;
      this.#places.set(tag, placeOf(notice));
      void this.#desktop?.notify({ tag, ...noticeText(notice) });
    }
  }

  #keepInvited(): void {
    const invited = [...this.#known.seen].filter(([key]) => key.startsWith("invited "));
    this.#keep(INVITED, JSON.stringify(invited.slice(-INVITED_MAX).map(([key]) => key)));
  }

  #invited(): Map<string, number> {
    try {
      const kept: unknown = JSON.parse(this.#read(INVITED) ?? "[]");
      const keys = Array.isArray(kept) ? kept.filter((key) => typeof key === "string") : [];
      return new Map(keys.map((key) => [key, 0]));
    } catch {
      // Somebody else has written there; what stands is told once more at most.
      return new Map();
    }
  }

  #read(name: string): string | null {
    try {
      return this.#sight.storage().getItem(name);
    } catch {
      return null;
    }
  }

  #keep(name: string, value: string): void {
    try {
      this.#sight.storage().setItem(name, value);
    } catch {
      // Browsers may forbid it, or have no room. There is nothing to be done about either here.
    }
  }
}
