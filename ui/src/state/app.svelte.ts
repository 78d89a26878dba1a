/**
 * The window's state: the last view, what closing does, the place where the person is, a link that waits for the
 * person's word, what is dragged onto the window, and what a toast says. All else is derived. Effects of commands are seen in later views only.
 */
import {
  assertNever,
  type Backend,
  type Choice,
  type Closing,
  type ClosingTold,
  type Drag,
  type Outcome,
  type ServerHere,
  type Sign,
  type Told,
} from "../backend";
import type { CommandView } from "../backend/generated/CommandView";
import type { FolderView } from "../backend/generated/FolderView";
import type { PeerView } from "../backend/generated/PeerView";
import type { View } from "../backend/generated/View";
import { words } from "../text";
import { refusal } from "../text/errors";
import { LOOKED_AT, Noticing, type Sight } from "./noticing";
import { problems, type Problem } from "./problems";
import { progress, round, type Progress, type Round } from "./progress";
import { steady } from "./steady";
import { headline, type Headline } from "./summary";
import { sign } from "./tray";
import { Updates } from "./updates.svelte";

/** A part of a folder's screen. */
export type FolderTab = "files" | "conflicts" | "history" | "rules" | "peers";

/** Where the person is. */
export type Place =
  | { at: "home" }
  | { at: "folders" }
  | { at: "folder"; folder: string; tab: FolderTab }
  | { at: "add_folder"; peer: string | null }
  | { at: "accept"; peer: string; folder: string }
  | { at: "devices" }
  | { at: "device"; peer: string }
  | { at: "compare"; peer: string }
  | { at: "network" }
  | { at: "check" }
  | { at: "pair"; first: "show" | "enter" }
  | { at: "settings" };

/** How long a toast stays: 6 s, long enough to read two sentences. */
const TOAST_MS = 6000;

/** How long the device may end unseen: 1 s. Mostly it takes less, and a page that only flashes up would frighten. */
const UNSEEN_MS = 1000;

/** Everything that the window shows. */
export class App {
  readonly backend: Backend;
  readonly noticing: Noticing;
  readonly updates: Updates;
  told = $state.raw<Told>({ kind: "starting" });
  /** The device does not answer; what is shown may be old. */
  isLost = $state.raw(false);
  place = $state.raw<Place>({ at: "home" });
  /** A link that somebody opened; nothing has been done with it yet. */
  link = $state.raw<string | null>(null);
  /** Whether something from a disk is held over the window. */
  isDraggedOver = $state.raw(false);
  /** What was dropped, for the form that asks for a folder. */
  dropped = $state.raw<Choice | null>(null);
  toast = $state.raw("");
  /** What closing the window does; `null` where there is no app around it. */
  closing = $state.raw<ClosingTold | null>(null);
  nowMs = $state.raw(Date.now());
  #dismissed = $state.raw<ReadonlySet<Problem["kind"]>>(new Set());
  /** Whether a signal server runs in this window's program. */
  serverHere = $state.raw<ServerHere>({ kind: "elsewhere" });
  #welcomed = $state.raw(false);
  /** A new device begins anew when its servers are set, and is new no more for its store; for its person it is. */
  #wasNew = $state.raw(false);
  #rounds = $state.raw<ReadonlyMap<string, Round>>(new Map());
  #toastTimer: ReturnType<typeof setTimeout> | undefined;
  #endingTimer: ReturnType<typeof setTimeout> | undefined;

  readonly view: View | null = $derived(this.told.kind === "view" ? this.told.view : null);
  readonly problems: Problem[] = $derived(
    this.view
      ? problems(this.view).filter(({ kind, weight }) => weight !== "note" || !this.#dismissed.has(kind))
      : [],
  );
  readonly progress: ReadonlyMap<string, Progress> = $derived(this.#progress());
  readonly headline: Headline | null = $derived(
    this.view ? headline(this.view, this.progress) : null,
  );
  /** What the sign in the tray shows and says. */
  readonly sign: Sign = $derived(sign(this.told, this.headline));
  /** A new device whose person has not yet chosen what to do. */
  readonly isFirstStart: boolean = $derived(
    !this.#welcomed &&
      this.#wasNew &&
      this.view !== null &&
      this.view.peers.length + this.view.folders.length === 0,
  );

  constructor(backend: Backend, sight: Sight = LOOKED_AT) {
    this.backend = backend;
    this.noticing = new Noticing(backend.desktop, sight);
    this.updates = new Updates(backend.updater);
  }

  /** Follows the device until the returned call. */
  follow(): () => void {
    const tick = setInterval(() => (this.nowMs = Date.now()), 1000);
    const stop = this.backend.watch((told) => this.hear(told));
    const ignore = this.backend.links((link) => this.open(link));
    const forget = this.backend.serverHere((server) => (this.serverHere = server));
    const leave = this.backend.desktop?.closing((told) => (this.closing = told));
    const release = this.backend.desktop?.drags((drag) => this.drag(drag));
    const close = this.backend.desktop?.notices((tag) => this.openNotice(tag));
    const unfollow = this.updates.follow();
    return () => {
      clearInterval(tick);
      stop();
      ignore();
      forget();
      leave?.();
      release?.();
      close?.();
      unfollow();
    };
  }

  /** Takes what the backend tells. */
  hear(told: Told): void {
    clearTimeout(this.#endingTimer);
    if (told.kind === "ending") {
      this.#endingTimer = setTimeout(() => (this.told = told), UNSEEN_MS);
      return;
    }
    this.nowMs = Date.now();
    this.noticing.hear(told, this.nowMs);
    this.isLost = told.kind === "lost";
    // What a person was doing stays in sight until the device is back.
    if (this.isLost && this.view) return;
    this.told = told.kind === "view" ? { kind: "view", view: steady(told.view, this.view) } : told;
    if (told.kind !== "view") return;
    if (told.view.device.store === "new") this.#wasNew = true;
    const rounds = new Map<string, Round>();
    for (const folder of told.view.folders) {
      const next = round(this.#rounds.get(folder.id) ?? null, folder, this.nowMs);
      if (next) rounds.set(folder.id, next);
    }
    this.#rounds = rounds;
  }

  go(place: Place): void {
    this.#welcomed = true;
    this.place = place;
    this.link = null;
    this.dropped = null;
    this.toast = "";
  }

  /** Shows a link that somebody opened, where the person says yes or no to it. */
  open(link: string): void {
    this.go({ at: "pair", first: "enter" });
    this.link = link;
  }

  /** Goes where a notice leads that the person has opened. */
  openNotice(tag: string): void {
    const place = this.noticing.placeOf(tag);
    if (place !== null) this.go(place);
  }

  /** Takes how a drag stands; what is dropped is shown where a folder is added, while there is a device. */
  drag(drag: Drag): void {
    this.isDraggedOver = drag.kind === "over" && this.view !== null;
    switch (drag.kind) {
      case "over":
      case "away":
        return;
      case "chosen":
      case "refused":
        if (this.view === null) return;
        if (this.place.at !== "add_folder") this.go({ at: "add_folder", peer: null });
        this.dropped = drag;
        return;
      default:
        assertNever(drag);
    }
  }

  /** Turns to another part of the same screen; what a toast says stays. */
  turn(place: Place): void {
    this.place = place;
  }

  command(command: CommandView): Promise<Outcome> {
    return this.backend.command(command);
  }

  /** Lets closing the window do this from now on. */
  async chooseClosing(closing: Closing): Promise<string | undefined> {
    const outcome = await this.backend.desktop?.chooseClosing(closing);
    if (outcome?.kind === "refused") return refusal(outcome.error);
    this.say(words.tray.saved);
    return undefined;
  }

  /** Says that something is done; gone by itself. */
  say(text: string): void {
    clearTimeout(this.#toastTimer);
    this.toast = text;
    this.#toastTimer = setTimeout(() => (this.toast = ""), TOAST_MS);
  }

  dismiss(kind: Problem["kind"]): void {
    this.#dismissed = new Set([...this.#dismissed, kind]);
  }

  peer(id: string): PeerView | undefined {
    return this.view?.peers.find((peer) => peer.id === id);
  }

  folder(id: string): FolderView | undefined {
    return this.view?.folders.find((folder) => folder.id === id);
  }

  #progress(): ReadonlyMap<string, Progress> {
    const all = new Map<string, Progress>();
    for (const folder of this.view?.folders ?? []) {
      const running = this.#rounds.get(folder.id);
      if (running) all.set(folder.id, progress(running, folder, this.nowMs));
    }
    return all;
  }
}
