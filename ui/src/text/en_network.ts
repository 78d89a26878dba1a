/** The words of the screen that tells how devices are connected, in English. */
import type { Numbers } from "./numbers";

/** The words, for the numbers of one locale. */
export function englishNetwork(numbers: Numbers) {
  const n = (count: number, one: string, many: string) =>
    `${numbers.count(count)} ${count === 1 ? one : many}`;

  return {
    title: "Network",
    lead: "How your devices reach each other, and why not better.",
    pair: "Pair a device",
    emptyTitle: "No lines yet",
    emptyText: "Pair another computer. Then you see here how both are connected.",
    here: {
      title: "Seen from outside",
      addresses: "Others see it at",
      server: "Signal server",
      noServer: "None",
      local: "It listens at",
      router: "Router",
      turn: "TURN servers",
      turnState: {
        not_asked: "Not needed so far",
        asked: "Being asked for an address",
        lends: (address: string) => `Lends this device ${address}`,
        refuses: {
          unreachable: "It cannot be reached. Check its host, port and transport.",
          silent: "It does not answer. Check its port, and whether a firewall lets it through.",
          login: "It does not accept the user name and the credential. They may be wrong, or have expired.",
          certificate: "Its certificate is not valid. Check its host name.",
          refused: "It refuses to lend an address. Ask whoever runs it.",
          protocol: "It does not speak TURN as it should.",
          gone: "It had lent an address and does not answer any more.",
        },
        other: "It lends no address.",
      },
    },
    outside: {
      not_asked: {
        what: "Nobody has said how others see this device.",
        todo: "A signal server that has STUN tells it. Without one, devices find each other nearby.",
      },
      asking: { what: "Asking how others see this device", todo: "" },
      seen: { what: "The way out is open", todo: "What this device sends (UDP) goes out, and answers come back." },
      silent: {
        what: "No answer comes back from outside",
        todo: "Most likely a firewall drops UDP here. Your devices then talk through the signal server. Ask whoever runs this network to let UDP out, or start Towline with --port and let that port through.",
      },
    },
    mapping: {
      unknown: "",
      same: "It keeps one port towards everybody.",
      varies: "It takes another port for each conversation, so direct connections take longer or fail.",
    },
    mapped: (address: string) => `It leads ${address} here, as this device has asked it to.`,
    /** What lies between two devices: a name, and what it means. */
    way: {
      label: (peer: string) => `The way to ${peer}`,
      here: "This device",
      lan: { name: "Local network", text: "Nothing leaves it." },
      direct: { name: "Internet", text: "Straight through, no server in between." },
      turn: { name: "TURN server", text: "It passes on sealed packets and cannot read them." },
      relayed: { name: "Signal server", text: "It passes on sealed packets and cannot read them." },
      searching: { name: "Signal server", text: "For now. A direct path is being looked for." },
      connecting: { name: "No line yet", text: "It is being tried." },
      apart: { name: "No line", text: "" },
      impostor: { name: "Somebody else", text: "It is not connected to." },
    },
    whyTitle: "Why not direct?",
    plots: {
      from: (ms: number) => `${numbers.duration(ms)} ago`,
      to: "now",
      rtt: "Round-trip time",
      rttLine: "There and back",
      speed: "Throughput",
      received: "Received",
      sent: "Sent",
      /** What summarises a line, over its columns. */
      line: "Line",
      latest: "Latest",
      least: "Least",
      median: "Median",
      most: "Most",
      none: "Nothing measured yet.",
      milliseconds: (value: number) => numbers.milliseconds(value),
      perSecond: (value: number) => numbers.speed(value),
    },
    counts: {
      title: "Since this device started",
      tries: "Tries",
      triesText: (established: number, attempts: number) =>
        `${numbers.count(established)} of ${n(attempts, "try", "tries")} connected (${numbers.share(established / attempts)})`,
      triesNone: "None yet",
      failed: "Failed",
      lost: "Ended",
      taken: "Paths taken",
      times: (what: string, count: number) => `${what} ${numbers.count(count)}×`,
      time: "Time to connect",
      timeLatest: (ms: number) => `${numbers.milliseconds(ms)} the last time`,
      timeLatestLong: (ms: number) => `${numbers.duration(ms)} the last time`,
      timeWithin: (ms: number) =>
        `mostly within ${ms < 1000 ? numbers.milliseconds(ms) : numbers.duration(ms)}`,
      timeLonger: (ms: number) => `mostly longer than ${numbers.duration(ms)}`,
    },
    candidates: {
      title: (count: number) => `Addresses tried (${numbers.count(count)})`,
      none: "No address of it is known. It tells its addresses when it is connected.",
      address: "Address",
      path: "Path",
      origin: "Known",
      state: "State",
      answers: "Answers",
      silent: "No answer",
      untried: "Not tried yet",
      other: "Unknown",
      probes: (sent: number, answered: number) => `${n(sent, "probe", "probes")} sent, ${numbers.count(answered)} answered.`,
      told: (sent: number, received: number) =>
        `${n(sent, "address", "addresses")} told to it, ${numbers.count(received)} told by it.`,
    },
    paths: {
      lan: "Local network",
      direct_v6: "Direct by IPv6",
      direct_v4: "Direct by IPv4",
      turn: "TURN server",
      relay: "Signal server",
    },
    otherPath: "Another path",
    origins: {
      kept: "From before",
      told: "Told by it",
      heard: "Seen from here",
      static: "Set by you",
    },
    otherOrigin: "Otherwise",
    history: {
      title: (count: number) => `History (${numbers.count(count)})`,
      none: "Nothing has happened since this device started.",
      connecting: "Being connected",
      up: (path: string) => `Connected: ${path}`,
      away: "Away",
      impostor: "Somebody else answered",
      moment: (ms: number) => numbers.second(ms),
    },
  };
}
