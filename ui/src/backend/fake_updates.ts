/** Updates of a fake app: a release is there, is fetched in steps, and is never installed. */
import type { Found, UpdatesTold, UpdateState, UpdateWish, Updater, When } from "./updates";
import { assertNever } from "./index";

const FOUND: Found = {
  version: "0.2.0",
  notes: "Folders with a million files open at once.\n\nMended:\n• A renamed folder keeps its history.\n• <b>Notes</b> are text.",
};

/** How many bytes a fake release has. */
const BYTES = 24_300_000;

/** What each scene begins with; all others are up to date. */
const SCENES: Record<string, Partial<UpdatesTold>> = {
  update: { state: { state: "available", found: FOUND }, asking: "always" },
  update_ready: { state: { state: "ready", found: FOUND }, engine: "elsewhere" },
  update_downloading: {
    state: { state: "downloading", found: FOUND, when: "quit", got_bytes: 9_800_000, total_bytes: BYTES },
  },
  update_installing: { state: { state: "installing", found: FOUND } },
  update_failed: { state: { state: "failed", code: "signature", found: FOUND }, place: "package" },
  update_offline: { state: { state: "failed", code: "unreachable", found: null }, failed_before: "disk" },
  update_read_only: { state: { state: "available", found: FOUND }, place: "read_only" },
  update_off: { state: { state: "off", why: "rule" }, said_by: "administrator" },
  update_pinned: { pinned: "0.1", said_by: "administrator" },
  update_development: { state: { state: "off", why: "development" }, answered_ms: null },
};

/** An app that knows of nothing newer. */
export const UP_TO_DATE: UpdatesTold = {
  version: "0.1.0",
  state: { state: "idle" },
  channel: "stable",
  pinned: null,
  said_by: "person",
  asking: "never",
  place: "replaced",
  engine: "here",
  answered_ms: null,
  failed_before: null,
};

export class FakeUpdater implements Updater {
  #told: UpdatesTold;
  #tell: (told: UpdatesTold) => void = () => undefined;
  readonly #stepMs: number;

  constructor(scene: string, stepMs: number, nowMs: number) {
    this.#stepMs = stepMs;
    this.#told = { ...UP_TO_DATE, answered_ms: nowMs - 3_600_000, ...SCENES[scene] };
  }

  watch(tell: (told: UpdatesTold) => void): () => void {
    this.#tell = tell;
    tell(this.#told);
    return () => {
      this.#tell = () => undefined;
    };
  }

  wish(wish: UpdateWish): Promise<void> {
    switch (wish.wish) {
      case "check":
        this.#publish({ state: { state: "checking" } });
        this.#later(1, () => this.#found());
        break;
      case "install":
        this.#fetch(wish.when, 1);
        break;
      case "follow":
        this.#publish({ channel: wish.channel });
        break;
      case "ask":
        this.#publish({ asking: wish.asking });
        break;
      default:
        return assertNever(wish);
    }
    return Promise.resolve();
  }

  #found(): void {
    this.#publish({ answered_ms: Date.now(), state: { state: "available", found: FOUND } });
  }

  /** It comes in four steps. */
  #fetch(when: When, step: number): void {
    const ended: UpdateState = { state: when === "now" ? "installing" : "ready", found: FOUND };
    const got_bytes = (BYTES * step) / 4;
    const under_way: UpdateState = { state: "downloading", found: FOUND, when, got_bytes, total_bytes: BYTES };
    this.#publish({ state: step > 4 ? ended : under_way });
    if (step <= 4) this.#later(1, () => this.#fetch(when, step + 1));
  }

  #publish(change: Partial<UpdatesTold>): void {
    this.#told = { ...this.#told, ...change };
    this.#tell(this.#told);
  }

  #later(steps: number, act: () => void): void {
    setTimeout(act, steps * this.#stepMs);
  }
}
