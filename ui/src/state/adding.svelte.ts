/**
 * Adding a folder and inviting who shall take part. A folder that is added while somebody could not
 * be invited is half of what a person wanted, so who is missing stays until they are invited.
 */
import type { ViewError } from "../backend/generated/ViewError";
import type { App } from "./app.svelte";

/** Somebody who could not be invited. */
export interface Missing {
  peer: string;
  error: ViewError;
}

/** How it stands. */
export type Standing =
  | { kind: "filling" }
  | { kind: "refused"; error: ViewError }
  | { kind: "added"; folder: string; missing: readonly Missing[] };

/** One folder that is being added. */
export class Adding {
  standing = $state.raw<Standing>({ kind: "filling" });
  isBusy = $state(false);
  readonly #app: Pick<App, "command">;

  constructor(app: Pick<App, "command">) {
    this.#app = app;
  }

  /** Adds the folder, then invites the peers, every one of them. */
  async add(root: string, label: string, peers: readonly string[]): Promise<Standing> {
    this.isBusy = true;
    const outcome = await this.#app.command({ command: "add_folder", root, label });
    if (outcome.kind === "refused") {
      this.standing = { kind: "refused", error: outcome.error };
    } else if (outcome.answer.answer !== "folder") {
      this.standing = { kind: "refused", error: { code: "unsupported", detail: null } };
    } else {
      const folder = outcome.answer.id;
      this.standing = { kind: "added", folder, missing: await this.#invite(folder, peers) };
    }
    this.isBusy = false;
    return this.standing;
  }

  /** Invites those who are missing once more. */
  async again(): Promise<Standing> {
    if (this.standing.kind !== "added" || this.isBusy) return this.standing;
    this.isBusy = true;
    const { folder, missing } = this.standing;
    const peers = missing.map(({ peer }) => peer);
    this.standing = { kind: "added", folder, missing: await this.#invite(folder, peers) };
    this.isBusy = false;
    return this.standing;
  }

  /** Begins with another folder, once the last one is added. */
  anew(): void {
    if (this.standing.kind === "added" && !this.isBusy) this.standing = { kind: "filling" };
  }

  async #invite(folder: string, peers: readonly string[]): Promise<Missing[]> {
    const missing: Missing[] = [];
    for (const peer of peers) {
      const outcome = await this.#app.command({ command: "invite_peer", folder, peer });
      if (outcome.kind === "refused") missing.push({ peer, error: outcome.error });
    }
    return missing;
  }
}
