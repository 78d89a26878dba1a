/** Updates of the app, as a shell that can install them tells of them. The shapes are `src-tauri/src/updates`'s. */

/** A release that is newer. Its notes are its publisher's words, and text only. */
export interface Found {
  version: string;
  notes: string;
}

/** A line of releases. */
export type Channel = "stable" | "beta";

/** When an update is installed: at once, or when the app is closed. */
export type When = "now" | "quit";

/** Whether a person is asked before one is installed. */
export type Asking = "never" | "always";

/** Where updates stand. */
export type UpdateState =
  | { state: "off"; why: "development" | "rule" | "unreadable" | "local_network" | "starting" }
  | { state: "idle" }
  | { state: "checking" }
  | { state: "available"; found: Found }
  | { state: "downloading"; found: Found; when: When; got_bytes: number; total_bytes: number | null }
  | { state: "ready"; found: Found }
  | { state: "installing"; found: Found }
  | { state: "failed"; code: string; found: Found | null };

/** All that there is to know of updates. */
export interface UpdatesTold {
  /** The version that runs. */
  version: string;
  state: UpdateState;
  channel: Channel;
  /** What the version must begin with, if somebody says so. */
  pinned: string | null;
  said_by: "person" | "file" | "administrator";
  asking: Asking;
  /** What is done with a new version: it replaces the app, is installed as a package, or cannot be installed. */
  place: "replaced" | "package" | "read_only";
  engine: "here" | "elsewhere";
  answered_ms: number | null;
  /** Why the last update was not installed. */
  failed_before: string | null;
}

/** What a person wants with updates. */
export type UpdateWish =
  | { wish: "check" }
  | { wish: "install"; when: When }
  | { wish: "follow"; channel: Channel }
  | { wish: "ask"; asking: Asking };

/** Brings the app up to date. */
export interface Updater {
  /** Tells where updates stand now and after every change; ends with the returned call. */
  watch(tell: (told: UpdatesTold) => void): () => void;
  /** Does what the person wants; its effects are told. */
  wish(wish: UpdateWish): Promise<void>;
}
