/** The words of the screen that tells how devices are connected, in German. */
import type { englishNetwork } from "./en_network";
import type { Numbers } from "./numbers";

/** The words, for the numbers of one locale. */
export function germanNetwork(numbers: Numbers): ReturnType<typeof englishNetwork> {
  const n = (count: number, one: string, other: string) =>
    numbers.plural(count, { one: `# ${one}`, other: `# ${other}` });

  return {
    title: "Netzwerk",
    lead: "Wie Ihre Geräte einander erreichen, und warum nicht besser.",
    pair: "Gerät koppeln",
    emptyTitle: "Noch keine Leitungen",
    emptyText: "Koppeln Sie einen zweiten Computer. Dann sehen Sie hier, wie beide verbunden sind.",
    here: {
      title: "Von außen gesehen",
      addresses: "Andere sehen es unter",
      server: "Signalserver",
      noServer: "Keiner",
      local: "Es lauscht unter",
      router: "Router",
      turn: "TURN-Server",
      turnState: {
        not_asked: "Bisher nicht gebraucht",
        asked: "Wird um eine Adresse gebeten",
        lends: (address) => `Leiht diesem Gerät ${address}`,
        refuses: {
          unreachable: "Er ist nicht zu erreichen. Prüfen Sie Rechnername, Port und Transport.",
          silent: "Er antwortet nicht. Prüfen Sie seinen Port, und ob eine Firewall ihn durchlässt.",
          login: "Er nimmt Benutzernamen und Passwort nicht an. Sie sind vielleicht falsch oder abgelaufen.",
          certificate: "Sein Zertifikat ist nicht gültig. Prüfen Sie seinen Rechnernamen.",
          refused: "Er will keine Adresse leihen. Fragen Sie, wer ihn betreibt.",
          protocol: "Er spricht TURN nicht, wie er sollte.",
          gone: "Er hatte eine Adresse geliehen und antwortet nicht mehr.",
        },
        other: "Er leiht keine Adresse.",
      },
    },
    outside: {
      not_asked: {
        what: "Niemand hat gesagt, wie andere dieses Gerät sehen.",
        todo: "Ein Signalserver mit STUN sagt es. Ohne ihn finden Geräte einander in der Nähe.",
      },
      asking: { what: "Fragt, wie andere dieses Gerät sehen", todo: "" },
      seen: { what: "Der Weg hinaus ist frei", todo: "Was dieses Gerät sendet (UDP), geht hinaus, und Antworten kommen zurück." },
      silent: {
        what: "Von außen kommt keine Antwort",
        todo: "Wahrscheinlich verwirft hier eine Firewall UDP. Ihre Geräte sprechen dann über den Signalserver. Bitten Sie, wer dieses Netzwerk betreibt, UDP hinauszulassen, oder starten Sie Towline mit --port und lassen Sie diesen Port durch.",
      },
    },
    mapping: {
      unknown: "",
      same: "Er behält allen gegenüber einen Port.",
      varies: "Er nimmt für jedes Gespräch einen anderen Port. Direkte Verbindungen dauern darum länger oder misslingen.",
    },
    mapped: (address) => `Er führt ${address} hierher, wie dieses Gerät es erbeten hat.`,
    way: {
      label: (peer) => `Der Weg zu ${peer}`,
      here: "Dieses Gerät",
      lan: { name: "Lokales Netzwerk", text: "Nichts verlässt es." },
      direct: { name: "Internet", text: "Geradewegs, ohne Server dazwischen." },
      turn: { name: "TURN-Server", text: "Leitet verschlüsselte Pakete weiter und kann sie nicht lesen." },
      relayed: { name: "Signalserver", text: "Leitet verschlüsselte Pakete weiter und kann sie nicht lesen." },
      searching: { name: "Signalserver", text: "Vorerst. Ein direkter Weg wird gesucht." },
      connecting: { name: "Noch keine Leitung", text: "Sie wird versucht." },
      apart: { name: "Keine Leitung", text: "" },
      impostor: { name: "Jemand anderes", text: "Es wird nicht verbunden." },
    },
    whyTitle: "Warum nicht direkt?",
    plots: {
      from: (ms) => `vor ${numbers.duration(ms)}`,
      to: "jetzt",
      rtt: "Laufzeit",
      rttLine: "Hin und zurück",
      speed: "Durchsatz",
      received: "Empfangen",
      sent: "Gesendet",
      line: "Linie",
      latest: "Zuletzt",
      least: "Kleinste",
      median: "Median",
      most: "Größte",
      none: "Noch nichts gemessen.",
      milliseconds: (value) => numbers.milliseconds(value),
      perSecond: (value) => numbers.speed(value),
    },
    counts: {
      title: "Seit dem Start dieses Geräts",
      tries: "Versuche",
      triesText: (established, attempts) =>
        `${numbers.count(established)} von ${n(attempts, "Versuch", "Versuchen")} gelungen (${numbers.share(established / attempts)})`,
      triesNone: "Noch keine",
      failed: "Gescheitert",
      lost: "Beendet",
      taken: "Genommene Wege",
      times: (what, count) => `${what} ${numbers.count(count)}×`,
      time: "Zeit zum Verbinden",
      timeLatest: (ms) => `zuletzt ${numbers.milliseconds(ms)}`,
      timeLatestLong: (ms) => `zuletzt ${numbers.duration(ms)}`,
      timeWithin: (ms) => `meist innerhalb von ${ms < 1000 ? numbers.milliseconds(ms) : numbers.duration(ms)}`,
      timeLonger: (ms) => `meist länger als ${numbers.duration(ms)}`,
    },
    candidates: {
      title: (count) => `Versuchte Adressen (${numbers.count(count)})`,
      none: "Keine Adresse von ihm ist bekannt. Es nennt seine Adressen, wenn es verbunden ist.",
      address: "Adresse",
      path: "Weg",
      origin: "Bekannt",
      state: "Zustand",
      answers: "Antwortet",
      silent: "Keine Antwort",
      untried: "Noch nicht versucht",
      other: "Unbekannt",
      probes: (sent, answered) => `${n(sent, "Probe", "Proben")} gesendet, ${numbers.count(answered)} beantwortet.`,
      told: (sent, received) =>
        `${n(sent, "Adresse", "Adressen")} dorthin genannt, ${numbers.count(received)} von dort.`,
    },
    paths: {
      lan: "Lokales Netzwerk",
      direct_v6: "Direkt über IPv6",
      direct_v4: "Direkt über IPv4",
      turn: "TURN-Server",
      relay: "Signalserver",
    },
    otherPath: "Ein anderer Weg",
    origins: {
      kept: "Von früher",
      told: "Von ihm genannt",
      heard: "Von hier gesehen",
      static: "Von Ihnen angegeben",
    },
    otherOrigin: "Anders",
    history: {
      title: (count) => `Verlauf (${numbers.count(count)})`,
      none: "Seit dem Start dieses Geräts ist nichts geschehen.",
      connecting: "Wird verbunden",
      up: (path) => `Verbunden: ${path}`,
      away: "Nicht da",
      impostor: "Jemand anderes hat geantwortet",
      moment: (ms) => numbers.second(ms),
    },
  };
}
