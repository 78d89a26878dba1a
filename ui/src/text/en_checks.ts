/** The words of what the doctor finds, in English: what it is, and what to do where it could be better. */
import type { Numbers } from "./numbers";

/** The words, for the numbers of one locale. */
export function englishChecks(numbers: Numbers) {
  const n = (count: number, one: string, many: string) => `${numbers.count(count)} ${count === 1 ? one : many}`;
  const showing = (codes: number) => (codes === 0 ? "" : `; ${n(codes, "shows", "show")} a code`);
  const others = (count: number, codes: number) =>
    count === 0
      ? "No other device is heard of."
      : `${n(count, "other device is", "other devices are")} heard of${showing(codes)}.`;

  return {
    title: "Is everything as it should be?",
    lead: "Looks at all that a connection needs. Nothing is sent to find out.",
    check: "Check the connection",
    again: "Check again",
    checking: "Looking…",
    copy: "Copy report",
    copied: "The report is copied. It holds no addresses, names or places.",
    copyFailed: { what: "Copying is not possible here.", todo: "Select the list and copy it by hand." },
    reportTitle: (version: string, moment: string) => `Towline ${version}, connection check, ${moment}`,
    verdict: { fine: "Fine", fair: "Could be better", bad: "Does not work" },
    allFine: "All is as it should be.",
    summary: (bad: number, fair: number) =>
      [
        bad > 0 ? `${n(bad, "thing does", "things do")} not work` : "",
        fair > 0 ? `${n(fair, "thing", "things")} could be better` : "",
      ]
        .filter((text) => text !== "")
        .join(", ")
        .concat("."),
    list: "What was found",
    unknown: (check: string) => ({
      what: `Something that this window does not know (${check}).`,
      todo: "Update Towline.",
    }),
    server: {
      none: { what: "No signal server is set.", todo: "Devices on other networks are found through one: name one in Settings, or run one there." },
      online: { what: "The signal server is online.", todo: "" },
      connecting: { what: "The signal server is being connected to.", todo: "Check again in some seconds." },
      clockToo: "Look at this computer's clock too: with a wrong one no certificate seems valid.",
    },
    lanOnly: { what: "This device stays within the local network, so nothing beyond it was looked at.", todo: "" },
    udp: {
      seen: { what: "UDP goes out and comes back.", todo: "" },
      asking: { what: "Whether UDP comes through is not known yet.", todo: "Check again in some seconds." },
      not_asked: {
        what: "Whether UDP comes through is not known: no server with STUN was met.",
        todo: "Direct paths beyond the local network need STUN. Ask the server's administrator to switch it on.",
      },
      silent: {
        what: "UDP does not come through.",
        todo: "A firewall drops it, so everything goes through the server. Ask whoever runs this network to let UDP out.",
      },
    },
    nat: {
      open: { what: "No router translates this device's address.", todo: "" },
      same: { what: "The router keeps one port towards everybody: direct paths are found.", todo: "" },
      varies: {
        what: "The router takes another port towards each address (symmetric NAT).",
        todo: "Direct paths take longer, and there is none to a peer behind such a router. Start Towline with --port and forward that port in the router.",
      },
      unknown: {
        what: "What the router does with ports is not known.",
        todo: "It shows where the signal server names two STUN addresses; ask its administrator.",
      },
    },
    mapping: {
      given: { what: "The router leads a port of its own to this device.", todo: "" },
      none: { what: "The router gives no port on demand.", todo: "If it can, allow UPnP, NAT-PMP or PCP in its settings." },
      off: { what: "The router is not asked for a port: somebody has switched that off.", todo: "Start Towline without --no-port-mapping, if it may be asked." },
    },
    mdns: {
      off: {
        what: "This device is not announced on the local network.",
        todo: "DISABLE_MDNS or --no-mdns says so. Devices nearby then meet through the server only; start Towline without it to change that.",
      },
      heard: (count: number, codes: number) => ({ what: `Announcements on the local network work. ${others(count, codes)}`, todo: "" }),
      waiting: (count: number, codes: number) => ({
        what: `Announced on the local network a moment ago. ${others(count, codes)}`,
        todo: "Check again in some seconds.",
      }),
      silent: (count: number, codes: number) => ({
        what: `This device's announcement on the local network does not come back. ${others(count, codes)}`,
        todo: "No network is up, or a firewall of this computer drops it: let UDP port 5353 in and out, and multicast.",
      }),
      port_taken: {
        what: "Another program keeps UDP port 5353 for itself, so devices nearby are not found.",
        todo: "End that program or let it share the port, then start Towline again.",
      },
    },
    paths: {
      what: (connected: number, relayed: number) =>
        connected === 0
          ? "No peer is connected now."
          : relayed === 0
            ? `${n(connected, "connected peer is", "connected peers are")} reached directly.`
            : `${numbers.count(relayed)} of ${n(connected, "connected peer is", "connected peers is")} reached through the server only.`,
      todo: "Each device below says why.",
    },
    keyring: {
      keyring: { what: "The device key is in the system's keyring.", todo: "" },
      file: {
        what: "The device key is in a file that only you may read.",
        todo: "That is right for a server. On a desktop, start a keyring (gnome-keyring, KWallet) before a device is made.",
      },
    },
    clock: {
      unknown: { what: "Whether the clock is right is not known: no signal server has told its time.", todo: "It is compared as soon as a server answers." },
      right: { what: "The clock agrees with the signal server's, within a minute.", todo: "" },
      wrong: (ms: number, isAhead: boolean) => ({
        what: `The clock is ${numbers.duration(ms)} ${isAhead ? "ahead of" : "behind"} the signal server's.`,
        todo: "When a file was changed on two computers, the later time keeps its name: with a wrong clock that is the wrong one, and certificates may seem invalid. Set the clock, or let the system set it.",
      }),
    },
    disk: {
      room: (available: number, total: number) => ({
        what: `${numbers.bytes(available)} of ${numbers.bytes(total)} are free on a disk.`,
        todo: "Make room: files are written beside the old ones before they replace them.",
      }),
      unknown: { what: "A disk does not tell its room.", todo: "Look whether it is there and readable." },
    },
    watches: (directories: number, limit: number) => ({
      what: `${n(directories, "directory", "directories")} to watch; the system allows ${numbers.count(limit)}.`,
      todo: "Raise fs.inotify.max_user_watches, or changes are only found by looking through everything.",
    }),
    folder: "A folder is paused.",
  };
}
