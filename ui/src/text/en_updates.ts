/** The words for updates of the app, in English. */
import type { Numbers } from "./numbers";

/** The words, for the numbers of one locale. */
export function englishUpdates(numbers: Numbers) {
  const again = "Check again. If it stays so, fetch Towline anew from where you had it.";

  return {
    title: "Updates",
    text: "Towline looks for a new version when it starts and once a day. It tells nobody who you are or which version you have.",
    runs: (version: string) => `This is Towline ${version}.`,
    answered: (ms: number) => `asked ${numbers.moment(ms)}`,
    never: "not asked yet",
    state: {
      idle: "Up to date",
      checking: "Looking for a new version",
      available: (version: string) => `Towline ${version} is there`,
      downloading: (version: string) => `Fetching Towline ${version}`,
      ready: (version: string) => `Towline ${version} is ready`,
      installing: (version: string) => `Installing Towline ${version}`,
    },
    readyText: "It is installed when you quit Towline. What is being written is finished first.",
    nowText: "It is installed as soon as it is here. What is being written is finished first, and Towline starts again.",
    quitText: "It is installed when you quit Towline.",
    installingText: "Your folders are at rest. Towline starts again in a moment.",
    progress: "Progress of the update",
    got: (got: number, total: number | null) =>
      total === null ? numbers.bytes(got) : `${numbers.bytes(got)} of ${numbers.bytes(total)}`,
    news: (version: string) => `What is new in ${version}`,
    noNews: "Its publisher says nothing about it.",
    check: "Check now",
    now: "Install and restart",
    quit: "Install when I quit Towline",
    show: "Show",
    notice: {
      available: (version: string) => ({
        what: `Towline ${version} is there.`,
        todo: "See what is new, and choose when it is installed.",
      }),
      ready: (version: string) => ({
        what: `Towline ${version} is ready.`,
        todo: "It is installed when you quit Towline, or at once if you like.",
      }),
    },
    channel: "Which versions",
    channels: {
      stable: { name: "Stable", text: "Tried by others before." },
      beta: { name: "Beta", text: "New things earlier, and their faults." },
    },
    pinned: (version: string) => `Only versions that begin with ${version} are installed.`,
    automatic: "Fetch new versions, and install them when I quit Towline",
    automaticText: "Not while files wait, and not on a network that costs by volume.",
    locked: {
      administrator: "Set by this computer's administrator.",
      file: "Set in this device's file of settings.",
    },
    place: {
      replaced: "",
      package:
        "Towline was installed as a package. Installing a new version asks for an administrator's password; without one, use your system's package manager.",
      read_only:
        "Towline lies where you may not write, so it cannot replace itself. Move it to a directory of yours, or ask whoever put it there.",
    },
    elsewhere:
      "The engine of this device runs in another program (“towline up”). An update of this window does not touch it: update that program too, and start it again.",
    off: {
      development: {
        what: "This build has no updates.",
        todo: "It was built from source. Fetch new sources and build again.",
      },
      rule: { what: "Updates are switched off.", todo: "" },
      unreadable: {
        what: "Nobody is asked for updates, because a file of settings cannot be read.",
        todo: "Correct its line “update”, or remove it.",
      },
      local_network: {
        what: "Nobody is asked for updates, because this device stays within the local network.",
        todo: "Switch that off to look for one.",
      },
      starting: { what: "Towline looks for a new version in a moment.", todo: "" },
    },
    before: "The last update was not installed.",
    codes: {
      unreachable: {
        what: "The publisher of updates cannot be reached.",
        todo: "Check the network and try again. Towline tries again by itself.",
      },
      nothing_there: {
        what: "The publisher has no versions on this channel.",
        todo: "Choose the other one, or wait.",
      },
      manifest_signature: {
        what: "Somebody else than Towline's publisher answered, or the answer was changed on its way.",
        todo: `Nothing was installed. ${again}`,
      },
      manifest_malformed: { what: "The publisher's answer is not understood.", todo: again },
      signature: {
        what: "What was fetched is not what Towline's publisher has signed.",
        todo: `It was thrown away and nothing was installed. ${again}`,
      },
      signed_version: {
        what: "What was fetched is another version than the one that was announced.",
        todo: `It was thrown away and nothing was installed. ${again}`,
      },
      download: {
        what: "The new version did not come completely.",
        todo: "Nothing was installed. Check the network and try again.",
      },
      no_build: {
        what: "There is no new version for this kind of computer.",
        todo: "Look where you had Towline from.",
      },
      rights: {
        what: "The package was not installed, because nobody gave an administrator's password.",
        todo: "Try again with one, or install it with your system's package manager.",
      },
      disk: {
        what: "The new version cannot be written where Towline lies.",
        todo: "Make room there, or check whether you may write there. The version that you have goes on working.",
      },
      install: {
        what: "The system did not install the new version.",
        todo: "The version that you have goes on working. Fetch the new one from where you had Towline.",
      },
    },
  };
}
