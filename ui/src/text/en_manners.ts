/** The words for what goes on between the window and the desktop around it, in English. */
import type { Numbers } from "./numbers";

/** The words, for the numbers of one locale. */
export function englishManners(numbers: Numbers) {
  const n = (count: number, one: string, many: string) =>
    `${numbers.count(count)} ${count === 1 ? one : many}`;
  const folders = (count: number) => n(count, "folder", "folders");

  return {
    drop: {
      target: "Drop a folder to keep it in sync",
    },
    notices: {
      paired: (peer: string) => `Paired with ${peer}`,
      pairedMany: (count: number) => `Paired with ${n(count, "device", "devices")}`,
      pairedText: "Compare the pictures on both screens, to be sure that nobody came in between.",
      compare: "Compare",
      invitedMany: (count: number) => `${folders(count)} are shared with you`,
      accept: "Accept…",
      later: "Later",
      conflicts: (count: number, folder: string) => `${n(count, "conflict", "conflicts")} in “${folder}”`,
      conflictsMany: (count: number, inFolders: number) =>
        `${n(count, "conflict", "conflicts")} in ${folders(inFolders)}`,
      conflictsText: "A file was changed in two places. Both versions are kept until you choose.",
      braked: (peer: string, folder: string) => `${peer} wants to change much in “${folder}”`,
      brakedMany: (count: number) => `Changes in ${folders(count)} wait for you`,
      brakedText: "Nothing is deleted or overwritten here before you say yes.",
      update: (versions: string[]) => `Towline ${versions.join(", ")} is ready`,
      updateText: "It is installed when you say so.",
      show: "Show",
    },
    general: {
      title: "General",
      text: "How Towline behaves on this computer.",
      notices: "Tell me when something needs me",
      noticesText: "New devices, folders that are shared with you, conflicts, and changes that wait. Only while you look elsewhere.",
      atLogin: "Start when I log in",
      atLoginText: "Without a window, so that your folders stay in sync.",
    },
  };
}
