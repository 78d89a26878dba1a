import { expect, test, vi } from "vitest";

import type { Backend, Outcome } from "../backend";
import type { CommandView } from "../backend/generated/CommandView";
import { folder } from "../backend/fake_scenes";
import { FolderActs } from "./folder_acts.svelte";

const photos = folder("photos", "Photos", "/p");
const refused: Outcome = { kind: "refused", error: { code: "open", detail: null } };
const accepted: Outcome = { kind: "accepted", answer: { answer: "accepted" } };

function acts(outcome: Outcome) {
  const command = vi.fn((_: CommandView) => Promise.resolve(outcome));
  const openFolder = vi.fn((_: string) => Promise.resolve(outcome));
  const said: string[] = [];
  const app = { backend: { openFolder } as Partial<Backend> as Backend, command, say: (text: string) => said.push(text) };
  return { acts: new FolderActs(app), command, openFolder, said };
}

test("a folder is paused with all else as it is set, and goes on", async () => {
  const { acts: one, command, said } = acts(accepted);
  await one.pause(photos);
  const paused = { ...photos.settings, paused: true };
  expect(command).toHaveBeenLastCalledWith({ command: "configure_folder", folder: "photos", settings: paused });
  await one.pause({ ...photos, settings: paused });
  expect(command).toHaveBeenLastCalledWith({ command: "configure_folder", folder: "photos", settings: photos.settings });
  expect(said).toEqual(["Paused. Nothing is sent or received until you resume.", "Going on"]);
});

test("what fails is told until the next press succeeds", async () => {
  const { acts: one, openFolder, said } = acts(refused);
  await one.open(photos);
  expect(one.fault).toBe("The file manager could not be opened. Open the folder by its path.");
  openFolder.mockResolvedValueOnce(accepted);
  await one.open(photos);
  expect([one.fault, said]).toEqual([undefined, []]);
});
