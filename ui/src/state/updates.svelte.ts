/** What the window knows of updates; nothing where a shell cannot install any. */
import type { Updater, UpdatesTold, UpdateWish } from "../backend/updates";

/** Updates of the app. */
export class Updates {
  told = $state.raw<UpdatesTold | null>(null);
  readonly #updater: Updater | undefined;

  constructor(updater: Updater | undefined) {
    this.#updater = updater;
  }

  /** Follows them until the returned call. */
  follow(): () => void {
    return this.#updater?.watch((told) => (this.told = told)) ?? (() => undefined);
  }

  /** Does what the person wants; its effects are told. */
  wish(wish: UpdateWish): void {
    void this.#updater?.wish(wish);
  }
}
