/** The words for signal servers: using one, running one on this computer; in English. */

/** The words. */
export function englishServers() {
  return {
    title: "Signal servers",
    near: "Not asked: this device stays within the local network",
    add: {
      label: "Address of a server",
      example: "wss://signal.example.org/ws",
      hint: "As whoever runs it tells you, such as wss://signal.example.org/ws or ws://192.168.1.20:8080/ws. The host alone will do where it has a certificate.",
      use: "Use it",
      used: "This device uses that server from now on",
    },
    remove: "Remove",
    removeLabel: (url: string) => `Remove ${url}`,
    removed: "This device no longer uses that server",
    usual: "Use the usual server again",
    usualUsed: "This device uses the usual server again",
    bySomebody: "Whoever started Towline has set the signal servers, or its file of settings has.",
    here: {
      title: "A server on this computer",
      text: "This computer can be the server where your devices meet. It must be on, with Towline open, when they look for each other.",
      run: "Run one on this computer",
      runs: "Runs on this computer",
      tell: "Enter this address on your other devices, under “Use a server” at their first start or in their settings:",
      tellOneOf: "Enter one of these addresses on your other devices, under “Use a server” at their first start or in their settings:",
      copy: "Copy",
      copyLabel: (url: string) => `Copy ${url}`,
      copied: "Address copied",
      copyFailed: "Copying is not possible here. Select the address and copy it by hand.",
      near: "It is for devices on the same network. From elsewhere it is reached only if your router forwards that port to this computer, and then it should have a certificate: see “towline serve --help”.",
      plain: "On this network others can see which devices meet here. Names, files and codes stay sealed between your devices.",
      alone: "This computer is on no network now, so no other device reaches it.",
      stop: "Stop it",
      stopped: "The server on this computer has stopped",
    },
    first: {
      title: "On this network only, so far",
      text: "No signal server is set. Devices on the same network find each other without one; to meet from anywhere else they need one.",
      use: "Use a server",
      set: "Its server",
    },
  };
}
