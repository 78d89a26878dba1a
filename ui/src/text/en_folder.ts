/** The words of one folder's screens, in English. */
import type { BrakedView } from "../backend/generated/BrakedView";
import type { Numbers } from "./numbers";

type Braked = Pick<BrakedView, "deletes" | "overwrites" | "revives">;

/** The words, for the numbers of one locale. */
export function englishFolder(numbers: Numbers) {
  const n = (count: number, one: string, many: string) =>
    `${numbers.count(count)} ${count === 1 ? one : many}`;
  const files = (count: number) => n(count, "file", "files");
  const entries = (count: number) => n(count, "entry", "entries");
  const change = ({ deletes, overwrites, revives }: Braked) => {
    const parts = [
      ...(deletes > 0 ? [`delete ${files(deletes)}`] : []),
      ...(overwrites > 0 ? [`overwrite ${files(overwrites)}`] : []),
      ...(revives > 0 ? [`bring back ${entries(revives)} deleted while it was away`] : []),
    ];
    return parts.length > 0 ? numbers.list(parts) : "change many files";
  };

  return {
    tabs: {
      label: "Parts of this folder",
      files: "Files",
      conflicts: "Conflicts",
      history: "History",
      rules: "Rules",
      peers: "Devices",
      count: (count: number) => numbers.count(count),
    },
    head: {
      pause: "Pause",
      resume: "Resume",
      paused: "Paused. Nothing is sent or received until you resume.",
      resumed: "Going on",
      mode: {
        two_way: "Two-way",
        send_only: "Send only",
        receive_only: "Receive only",
      },
      modeText: (mode: string) => `Direction: ${mode}`,
    },
    banner: {
      label: "What needs you here",
      lookAgain: "Look again",
      braked: (peer: string, waits: Braked) => ({
        what: `${peer} wants to ${change(waits)}.`,
        todo:
          waits.deletes + waits.overwrites > 0
            ? "That is much at once, so it waits for you. What it changed before that is in the history."
            : "It was not seen for long, so that waits for you. Everything else is in sync.",
      }),
      release: "Let it happen",
      releaseTitle: (peer: string) => `Let ${peer} change so much?`,
      releaseText: (waits: Braked) =>
        `It will ${change(waits)} here. What goes is kept in the folder's history and can be restored from there.`,
      released: "The change goes on",
      undo: "Undo it everywhere",
      undone: "What is here stays as it is, on every device",
      conflicts: (count: number) => ({
        what: `${n(count, "conflict needs", "conflicts need")} you.`,
        todo: "Files were changed on two devices at once. Every version is kept until you choose.",
      }),
      decide: "Decide",
      local: (count: number) => ({
        what: `${n(count, "entry was", "entries were")} changed here and stay here.`,
        todo: "This folder only receives, so nobody else gets these changes.",
      }),
      revert: "Revert",
      revertTitle: (count: number) => `Undo ${n(count, "local change", "local changes")}?`,
      revertText:
        "The folder becomes what the other devices have. What you changed here goes to the history and can be restored.",
      reverted: "Local changes are undone",
      differing: (count: number) => ({
        what: `${n(count, "entry differs", "entries differ")} on other devices.`,
        todo: "This folder only sends, so their changes are not taken over here.",
      }),
      override: "Override",
      overrideTitle: (count: number) => `Replace ${entries(count)} on the other devices?`,
      overrideText:
        "All devices become what lies here, and lose what lies only there. What goes is kept in their history and can be restored there.",
      overridden: "Other devices get what lies here",
      diskFull: {
        what: "The disk is full.",
        todo: "Make room; it goes on by itself. No file that lies here was harmed.",
      },
      spoiled: (count: number) => ({
        what: `${n(count, "file was", "files were")} taken by a power cut.`,
        todo: "They come back from whoever has them. What the cut left of them is in the folder's history.",
      }),
      held: (count: number, more: boolean) => ({
        what: `${more ? `More than ${entries(count)}` : entries(count)} cannot be synced here.`,
        todo: "Everything else goes on.",
      }),
      showHeld: "Show which",
      hideHeld: "Hide",
    },
    held: {
      title: "Held back",
      text: "These entries are not synced until the reason is gone. Everything else goes on.",
    },
    list: {
      asking: "Reading…",
      more: "Show more",
      again: "Try again",
    },
    files: {
      way: "Where you are in the folder",
      list: (directory: string) => `Contents of ${directory}`,
      emptyTop: "This folder is empty",
      emptyTopText: "Put files into it, and every device that takes part gets them.",
      empty: "This directory is empty",
      emptyText: "It is kept on every device all the same.",
      kind: { file: "File", directory: "Directory", symlink: "Link", other: "Entry" },
      states: {
        here: "In sync",
        coming: "Coming",
        missing: "Only elsewhere",
        local: "Only here",
        other: "Not known",
      },
      about: {
        here: "It is the same here and on the devices that have it.",
        coming: "Another device has something newer. It arrives by itself when that device is connected.",
        missing: "It lies on other devices only, and arrives by itself when one of them is connected.",
        local: "It was changed here and is not told to others.",
        other: "This entry is in a state that this window does not know.",
      },
      on: (names: string[]) => `Also on ${numbers.list(names)}`,
      onNobody: "On no other device yet",
      history: "Earlier versions",
      keys: "Among files, arrow keys move, Enter opens a directory, Backspace goes up.",
      count: (count: number, more: boolean) => (more ? `${entries(count)} and more` : entries(count)),
    },
    conflicts: {
      none: "No conflicts",
      noneText:
        "When a file is changed on two devices at once, both versions are kept, and you choose here which one stays.",
      lead: "Changed on several devices at once. Nothing is lost: what you do not keep goes to the history.",
      list: "Conflicts",
      compare: (path: string) => `Compare the versions of ${path}`,
      versions: (count: number) => n(count, "version", "versions"),
      back: "All conflicts",
      allTitle: "Decide all at once",
      allWinner: "Keep what lies here",
      allBoth: "Keep all versions",
      allWinnerTitle: (count: number) => `Keep what lies here in ${n(count, "conflict", "conflicts")}?`,
      allWinnerText: "The other versions go to the history, where each can be restored.",
      allBothTitle: (count: number) => `Keep all versions of ${n(count, "conflict", "conflicts")}?`,
      allBothText: "The other versions become files beside the ones that lie here, on every device.",
      decided: (count: number) => `${n(count, "conflict is", "conflicts are")} decided`,
      winner: "Lies here now",
      loser: "Kept aside",
      gone: "Deleted",
      goneText: "Nothing lies at this place now.",
      thisDevice: "This device",
      stranger: (id: string) => `Unknown device ${id}`,
      newest: "newest",
      largest: "largest",
      keep: "Keep this one",
      keepOf: (device: string) => `Keep the version of ${device}`,
      keepGone: "Keep it deleted",
      both: (count: number): string => (count > 2 ? "Keep all of them" : "Keep both"),
      bothText: "The other versions become files beside it.",
      kept: "Decided, on every device",
      previewOf: (device: string) => `Preview of the version of ${device}`,
      differs: "Differs:",
      leftOut: (count: number) => `${n(count, "equal line", "equal lines")}`,
      cut: "Only the beginning is shown.",
      noPreview: "There is no preview of this kind of file.",
      emptyFile: "The file is empty.",
      previewFailed: "The preview cannot be shown.",
      links: "A link",
      directory: "A directory",
    },
    history: {
      lead: "What other devices replaced or deleted, newest first. Restoring keeps what lies there now as a version, too.",
      filter: "Filter by path",
      filterHint: "Part of a name or path",
      onlyDeleted: "Only deleted files",
      noneDeleted: "No deleted files",
      noneDeletedText: "When another device deletes a file, what lay here is kept and shown in this list.",
      of: (path: string) => `Versions of ${path}`,
      all: "Show all paths",
      none: "No versions yet",
      noneText: "When another device replaces or deletes a file, what lay here is kept and shown in this list.",
      noneMatch: "No version fits",
      noneMatchText: "Try a shorter part of its name, or clear the filter.",
      searched: (count: number) => `Looked through ${n(count, "version", "versions")}`,
      list: "Versions",
      restore: "Restore",
      restoreOf: (path: string, when: string) => `Restore ${path}, replaced or deleted ${when}`,
      restored: (name: string) => `“${name}” is back`,
      keptAt: (when: string) => `Replaced or deleted ${when}`,
      writtenAt: (when: string) => `last changed ${when}`,
      onlyThis: "Its versions",
      onlyThisOf: (path: string) => `All versions of ${path}`,
      moment: "Bring the folder back to a moment",
      momentText:
        "Every file that other devices have replaced or deleted since then becomes what it was. What lies there now is kept in this list first.",
      momentOpen: "Back to a moment",
      date: "Date",
      time: "Time",
      hourAgo: "An hour ago",
      yesterday: "This time yesterday",
      weekAgo: "A week ago",
      bring: "Bring back",
      bringTitle: (when: string) => `Bring the folder back to ${when}?`,
      bringText:
        "Files that other devices replaced or deleted since then come back as they were, here and on every device that takes part. What lies in their place now is kept in the history first, and what came since stays.",
      bringing: "Bringing files back…",
      bringingLabel: "Files that are brought back",
      bringingText: (done: number, total: number) => `${numbers.count(done)} of ${files(total)}`,
      stop: "Stop",
      brought: (count: number, failed: number) =>
        failed > 0
          ? `${files(count)} brought back, ${numbers.count(failed)} could not be and stay as they are.`
          : count === 0
            ? "Nothing had to be brought back: the folder is as it was then."
            : `${files(count)} brought back.`,
      noMoment: "This is no date and time. Write them like 2026-11-28 and 14:30.",
      future: "This moment has not come yet.",
    },
    rules: {
      directionTitle: "Direction",
      modes: {
        two_way: { name: "Two-way", text: "Changes go both ways. All devices stay the same." },
        send_only: {
          name: "Send only",
          text: "Changes go from here to the others. What they change is not taken over here.",
        },
        receive_only: {
          name: "Receive only",
          text: "Changes come here from the others. What you change here stays here, and can be reverted.",
        },
      },
      modeSet: (mode: string) => `Direction: ${mode}`,
      ignoreTitle: "What is left out",
      ignoreText:
        "One rule per line, as in a .gitignore: *.tmp, /build/, !keep.me. Files that are left out stay where they are and are not synced.",
      shared: "Rules for every device",
      sharedHint: "They travel with the folder.",
      local: "Rules for this device",
      localHint: "They stay here.",
      badLine: (line: number) => `Line ${numbers.count(line)} is no rule.`,
      matchesTitle: "What these rules leave out",
      matching: "Looking…",
      matches: (count: number) =>
        count === 0 ? "Nothing that lies here." : `${entries(count)} that lie here:`,
      matchesMore: (count: number) => `and ${numbers.count(count)} more`,
      save: "Save",
      saved: "Saved",
      saveRules: "Save rules",
      rulesSaved: "Rules saved",
      discard: "Discard changes",
      limitsTitle: "Speed of this folder",
      limitsText: "The limits of the whole device and its schedule hold as well; the smaller one counts.",
      keepTitle: "How long versions are kept",
      keepText: "What other devices replace or delete is kept on this disk for a while.",
      trash: { name: "All of them", text: "Every version is kept until it is too old." },
      staggered: {
        name: "Thinned out",
        text: "The older they are, the fewer are kept: many of today, one a week in the end.",
      },
      days: "Days",
      room: "At most, in GiB",
      percent: "At most, in percent of the disk",
      daysFault: "A number of days from 1 to 36,500.",
      roomFault: "A size like 10 or 0.5.",
      percentFault: "A number from 1 to 100.",
      brakeTitle: "Brake",
      brakeText: "When another device deletes or overwrites very much at once, nothing happens here until you say yes.",
      brakeOn: "Ask me before a mass change",
      brakeEntries: "More files than",
      brakePercent: "Or more percent of the folder than",
      brakeEntriesFault: "A number from 1 to 1,000,000,000.",
      conflictsTitle: "Where conflicts are kept",
      inbox: { name: "In the inbox", text: "Under Conflicts, out of sight in the folder." },
      beside: { name: "Beside the file", text: "As files with “conflict” in their name." },
      attributesTitle: "Extended attributes",
      attributesText:
        "Tags and notes that programs keep beside a file. Devices that keep them give them to each other; others pass them on.",
      attributesOn: "Keep them with the files on this device",
      stopTitle: "Stop syncing",
      stopText: "The files stay on this computer and on the others.",
    },
  };
}
