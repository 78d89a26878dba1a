/**
 * A device without an engine: answers commands by a script, so that the whole window runs in a
 * browser. `?scene=` chooses what stands at the beginning (see `fake_scenes.ts`), `?step=` how many
 * milliseconds a step of a script takes, `?link=` is a link that somebody opened, `?tray=` how it stands with
 * closing the window and `?drop=` what somebody drags onto it (see `fake_desktop.ts`), `?browser=` makes it one that a browser reaches and has it
 * locked (`link`, `password`), `lost` or `open`; `K7M-2QX` is the
 * right code, as is any link, and `ZZZ-ZZZ` a wrong one; `/none` is a path that does not exist; the
 * attic desktop is invited at the second try. At the scene `host` somebody types the code that is
 * shown, at `guest` the new peer shares a folder. `?views=` is how many views follow one another when
 * the page is told `fake:views`; each is measured as `painted`.
 */
import type { CommandView } from "./generated/CommandView";
import type { FolderSettingsView } from "./generated/FolderSettingsView";
import type { FolderView } from "./generated/FolderView";
import type { View } from "./generated/View";
import {
  assertNever,
  type Abilities,
  type Backend,
  type Choice,
  type Desktop,
  type Outcome,
  type ServerHere,
  type Told,
} from "./index";
import { FakeDesktop } from "./fake_desktop";
import { FakeFolder, refused, type OfContents } from "./fake_folder";
import { findings, network } from "./fake_network";
import { ANNA, folder, scene } from "./fake_scenes";
import { HERE_URL, withServers } from "./fake_servers";
import { FakeUpdater } from "./fake_updates";

const ACCEPTED: Outcome = { kind: "accepted", answer: { answer: "accepted" } };

/** What opens the device at `?browser=password`. */
const RIGHT_PASSWORD = "correct horse battery";

/** How long a step of a script takes unless somebody wishes otherwise. */
const STEP_MS = 350;

export class FakeBackend implements Backend {
  readonly desktop: Desktop | null;
  readonly abilities: Abilities;
  readonly updater: FakeUpdater;
  readonly #scene: string;
  #view: View;
  #tell: (told: Told) => void = () => undefined;
  #made = 0;
  #hasRefused = false;
  readonly #contents = new Map<string, FakeFolder>();
  readonly #stepMs: number;
  readonly #link: string | null;
  readonly #views: number;
  #tellServer: (server: ServerHere) => void = () => undefined;
  /** What opens the device, or `lost` when it does not answer. */
  readonly #door: string;

  constructor(wishes: URLSearchParams) {
    const isApp = !wishes.has("browser");
    this.abilities = { chooseDirectory: isApp, openFolder: isApp, help: isApp };
    this.#door = wishes.get("browser") ?? "";
    this.#stepMs = Number(wishes.get("step") ?? STEP_MS);
    this.#link = wishes.get("link");
    this.#views = Number(wishes.get("views") ?? 0);
    this.#scene = wishes.get("scene") ?? "new";
    // Scenes of updates stand on a device like any other.
    this.#view = scene(this.#scene.startsWith("update") ? "synced" : this.#scene, Date.now());
    this.updater = new FakeUpdater(this.#scene, this.#stepMs, Date.now());
    this.desktop = isApp ? new FakeDesktop(wishes, this.#stepMs, () => this.#tell({ kind: "ending" })) : null;
  }

  watch(tell: (told: Told) => void): () => void {
    this.#tell = tell;
    if (this.#door === "link" || this.#door === "password") {
      tell({ kind: "locked", wants: this.#door, error: null });
      return () => undefined;
    }
    // A round of work is judged by how it began.
    const { folders } = this.#view;
    const begun = folders.map((each) => ({ ...each, needs: 2.4 * each.needs }));
    this.#publish({ folders: begun });
    this.#publish({ folders });
    if (this.#door === "lost") tell({ kind: "lost" });
    const measure = () => void this.#measure();
    document.addEventListener("fake:views", measure);
    return () => {
      document.removeEventListener("fake:views", measure);
      this.#tell = () => undefined;
    };
  }

  links(tell: (link: string) => void): () => void {
    if (this.#link !== null) tell(this.#link);
    return () => undefined;
  }

  start(): Promise<void> {
    this.#publish({});
    return Promise.resolve();
  }

  serverHere(tell: (server: ServerHere) => void): () => void {
    this.#tellServer = tell;
    tell(this.abilities.help ? { kind: "off" } : { kind: "elsewhere" });
    return () => {
      this.#tellServer = () => undefined;
    };
  }

  runServer(wish: "run" | "stop"): Promise<Outcome> {
    const others = this.#view.server.own.filter((url) => url !== HERE_URL);
    this.#tellServer(wish === "run" ? { kind: "runs", urls: [HERE_URL] } : { kind: "off" });
    return this.command({ command: "set_servers", servers: wish === "run" ? [HERE_URL, ...others] : others });
  }

  unlock(password: string): Promise<Outcome> {
    if (password !== RIGHT_PASSWORD) return Promise.resolve(refused("password"));
    this.#publish({});
    return Promise.resolve(ACCEPTED);
  }

  pickDirectory(): Promise<Choice> {
    return Promise.resolve({ kind: "chosen", path: "/home/ada/Pictures" });
  }

  openFolder(): Promise<Outcome> {
    return Promise.resolve(refused("open"));
  }

  openLog(): Promise<Outcome> {
    return Promise.resolve(refused("open"));
  }

  saveDiagnostics(): Promise<Choice> {
    return Promise.resolve({ kind: "chosen", path: "/home/ada/towline-diagnostics-2026-03-01-101500.json" });
  }

  async command(command: CommandView): Promise<Outcome> {
    if (command.command === "restore_to") await this.#bringBack(command.folder);
    return this.#answer(command);
  }

  #answer(command: CommandView): Outcome {
    const { device, peers, folders } = this.#view;
    switch (command.command) {
      case "name_device":
        if (command.name === "") return refused("name");
        this.#publish({ device: { ...device, name: command.name } });
        return ACCEPTED;
      case "start_pairing":
        this.#publish({ pairing: { state: "opening" } });
        this.#later(1, () => this.#publish({ pairing: scene("code", Date.now()).pairing }));
        if (this.#scene === "host") this.#later(3, () => this.#join("K7M-2QX"));
        return ACCEPTED;
      case "join_pairing":
        this.#join(command.code);
        return ACCEPTED;
      case "cancel_pairing":
        this.#publish({ pairing: { state: "idle" } });
        return ACCEPTED;
      case "compare":
        this.#publish({
          peers: command.matches
            ? peers.map((peer) => (peer.id === command.peer ? { ...peer, verified: true } : peer))
            : peers.filter((peer) => peer.id !== command.peer),
        });
        if (this.#scene === "guest" && command.matches) {
          this.#later(2, () => this.#publish({ invitations: scene("invited", Date.now()).invitations }));
        }
        return ACCEPTED;
      case "rename_peer":
        if (command.name === "") return refused("name");
        this.#publish({
          peers: peers.map((peer) =>
            peer.id === command.peer ? { ...peer, name: command.name } : peer,
          ),
        });
        return ACCEPTED;
      case "place_peer":
        if (command.places.length > 8) return refused("places");
        if (!command.places.every((place) => /^.+:[0-9]+$/.test(place))) return refused("place");
        this.#publish({
          peers: peers.map((peer) => (peer.id === command.peer ? { ...peer, places: command.places } : peer)),
        });
        return ACCEPTED;
      case "remove_peer":
        this.#publish({ peers: peers.filter((peer) => peer.id !== command.peer) });
        return ACCEPTED;
      case "add_folder":
        return this.#add(command.root, command.label);
      case "invite_peer":
        if (command.peer === "attic" && !this.#hasRefused) {
          this.#hasRefused = true;
          return refused("unknown_peer");
        }
        this.#invite(command.folder, command.peer);
        return ACCEPTED;
      case "accept_invitation":
        this.#accept(command.folder, command.peer, command.root);
        return ACCEPTED;
      case "remove_folder":
        this.#publish({ folders: folders.filter((each) => each.id !== command.folder) });
        return ACCEPTED;
      case "rescan":
        return ACCEPTED;
      case "network":
        return { kind: "accepted", answer: { answer: "network", ...network(this.#scene, peers, Date.now()) } };
      case "examine":
        return { kind: "accepted", answer: { answer: "findings", findings: findings(this.#view) } };
      case "configure_device":
        this.#publish({
          device: {
            ...device,
            settings: command.settings,
            traffic: { rule: { rule: "limit", ...command.settings.limits }, because: "always" },
          },
        });
        return ACCEPTED;
      case "set_scope":
        this.#publish({ device: { ...device, scope: command.scope } });
        return ACCEPTED;
      case "set_servers": {
        const server = withServers(this.#view.server, command.servers, Date.now());
        if (server.kind === "refused") return server;
        // In its next life the device is not new any more.
        this.#publish({ device: { ...device, store: "whole" }, server: server.connecting });
        this.#later(2, () => this.#publish({ server: server.tried }));
        return ACCEPTED;
      }
      case "configure_folder":
        this.#configure(this.#folder(command.folder), command.settings);
        return ACCEPTED;
      case "files":
      case "conflicts":
      case "resolve":
      case "preview":
      case "revert":
      case "override":
      case "release_brake":
      case "undo_braked":
      case "rules":
      case "set_rules":
      case "preview_rules":
      case "held":
      case "history":
      case "history_below":
      case "cancel_restore":
      case "restore":
      case "restore_to":
        return this.#look(command);
      default:
        return assertNever(command);
    }
  }

  /** Asks a folder's contents, and shows what has changed by it. */
  #look(command: OfContents): Outcome {
    const folder = this.#view.folders.find(({ id }) => id === command.folder);
    if (!folder) return refused("unknown_folder");
    const inside = this.#contents.get(folder.id) ?? new FakeFolder(folder.id, Date.now());
    this.#contents.set(folder.id, inside);
    const { outcome, change } = inside.answer(command, folder);
    if (Object.keys(change).length > 0) this.#put({ ...folder, ...change });
    return outcome;
  }

  /** Files come back in four steps. */
  async #bringBack(id: string): Promise<void> {
    for (const done of [0, 130, 260, 390]) {
      this.#put({ ...this.#folder(id), restoring: { done, total: 512 } });
      await new Promise((next) => this.#later(1, () => next(null)));
    }
    this.#put({ ...this.#folder(id), restoring: null });
  }

  #configure(folder: FolderView, settings: FolderSettingsView): void {
    const was = folder.settings.paused;
    const state: FolderView["state"] = settings.paused
      ? { state: "paused_by_person" }
      : was ? { state: "in_sync" } : folder.state;
    this.#put({ ...folder, settings, state });
  }

  #join(code: string): void {
    this.#publish({ pairing: { state: "joining" } });
    this.#later(1, () => this.#publish({ pairing: { state: "proving" } }));
    this.#later(2, () => {
      if (code !== "K7M-2QX" && !code.startsWith("towline:")) {
        this.#publish({ pairing: { state: "failed", reason: "code_invalid" } });
        return;
      }
      this.#publish({ pairing: { state: "paired", peer: ANNA.id }, peers: [ANNA] });
    });
  }

  #add(root: string, label: string): Outcome {
    if (root.startsWith("/none")) return refused("root_missing");
    const id = `made-${(this.#made += 1)}`;
    const name = label === "" ? (root.split("/").at(-1) ?? root) : label;
    this.#put({ ...folder(id, name, root), state: { state: "scanning" }, files: 0, bytes: 0 });
    this.#later(2, () => this.#put({ ...this.#folder(id), ...folder(id, name, root), peers: this.#folder(id).peers }));
    return { kind: "accepted", answer: { answer: "folder", id } };
  }

  #invite(id: string, peer: string): void {
    const peers = (state: string) => [...this.#folder(id).peers.filter((each) => each.id !== peer), { id: peer, state }];
    this.#put({ ...this.#folder(id), peers: peers("invited") });
    this.#later(6, () => this.#put({ ...this.#folder(id), peers: peers("connected") }));
  }

  #accept(id: string, peer: string, root: string): void {
    const { invitations } = this.#view;
    const label = invitations.find((each) => each.folder === id)?.label ?? id;
    this.#publish({ invitations: invitations.filter((each) => each.folder !== id) });
    this.#arrive({ ...folder(id, label, root), peers: [{ id: peer, state: "connected" }] }, 1);
  }

  /** Files arrive in ten steps. */
  #arrive(whole: FolderView, step: number): void {
    if (step > 10) {
      this.#put(whole);
      return;
    }
    const share = step / 10;
    const fetched = Math.round(whole.bytes * share);
    this.#put({
      ...whole,
      state: { state: "syncing" },
      files: Math.round(whole.files * share),
      bytes: fetched,
      needs: Math.max(1, Math.round(whole.files * (1 - share))),
      transfer: {
        fetched_bytes: fetched,
        reused_bytes: 0,
        files: Math.round(whole.files * share),
        wanted_bytes: whole.bytes - fetched,
        bytes_per_second: 48_000_000,
      },
    });
    this.#later(1, () => this.#arrive(whole, step + 1));
  }

  #folder(id: string): FolderView {
    return this.#view.folders.find((each) => each.id === id) ?? folder(id, id, "/");
  }

  #put(next: FolderView): void {
    const others = this.#view.folders.filter((each) => each.id !== next.id);
    this.#publish({ folders: [...others, next].sort((a, b) => a.label.localeCompare(b.label)) });
  }

  #publish(change: Partial<View>): void {
    this.#view = { ...this.#view, ...change, revision: this.#view.revision + 1 };
    this.#tell({ kind: "view", view: this.#view });
  }

  /** Tells views as a host does, as text, each when the last one is on the screen. */
  async #measure(): Promise<void> {
    for (let left = this.#views; left > 0; left -= 1) {
      const folders = this.#view.folders.map((each, place) =>
        place % 20 === left % 20 ? { ...each, files: each.files + 1, needs: each.needs + left } : each,
      );
      this.#view = { ...this.#view, folders, revision: this.#view.revision + 1 };
      const text = JSON.stringify(this.#view);
      const start = performance.now();
      this.#tell({ kind: "view", view: JSON.parse(text) as View });
      await new Promise((painted) => requestAnimationFrame(() => setTimeout(painted)));
      performance.measure("painted", { start });
    }
  }

  #later(steps: number, act: () => void): void {
    setTimeout(act, steps * this.#stepMs);
  }
}
