/** Saving what is set for a folder or the device: one part of it, the rest as it stands. */
import type { DeviceSettingsView } from "../backend/generated/DeviceSettingsView";
import type { FolderSettingsView } from "../backend/generated/FolderSettingsView";
import type { FolderView } from "../backend/generated/FolderView";
import type { ScopeView } from "../backend/generated/ScopeView";
import { refusal } from "../text/errors";
import type { App } from "./app.svelte";

/** What became of the last try to save. */
export class Saving {
  fault = $state<string>();
  readonly #app: App;

  constructor(app: App) {
    this.#app = app;
  }

  /** Sets a part of a folder's settings, and says so when it is set. */
  folder(folder: FolderView, change: Partial<FolderSettingsView>, done: string): Promise<boolean> {
    const settings = { ...folder.settings, ...change };
    return this.#give({ command: "configure_folder", folder: folder.id, settings }, done);
  }

  /** Sets a part of the device's settings, and says so when it is set. */
  device(settings: DeviceSettingsView, change: Partial<DeviceSettingsView>, done: string): Promise<boolean> {
    return this.#give({ command: "configure_device", settings: { ...settings, ...change } }, done);
  }

  /** Keeps the device within the local network, or lets it go further, and says so. */
  scope(scope: ScopeView, done: string): Promise<boolean> {
    return this.#give({ command: "set_scope", scope }, done);
  }

  /** Sets at which signal servers the device is, the usual one with `null`, and says so. */
  servers(servers: string[] | null, done: string): Promise<boolean> {
    return this.#give({ command: "set_servers", servers }, done);
  }

  async #give(command: Parameters<App["command"]>[0], done: string): Promise<boolean> {
    const outcome = await this.#app.command(command);
    this.fault = outcome.kind === "refused" ? refusal(outcome.error) : undefined;
    if (outcome.kind === "accepted") this.#app.say(done);
    return outcome.kind === "accepted";
  }
}
