/** The words of what the doctor finds, in German: what it is, and what to do where it could be better. */
import type { englishChecks } from "./en_checks";
import type { Numbers } from "./numbers";

/** The words, for the numbers of one locale. */
export function germanChecks(numbers: Numbers): ReturnType<typeof englishChecks> {
  const n = (count: number, one: string, other: string) =>
    numbers.plural(count, { one: `# ${one}`, other: `# ${other}` });
  const showing = (codes: number) => (codes === 0 ? "" : `; ${n(codes, "zeigt", "zeigen")} einen Code`);
  const others = (count: number, codes: number) =>
    count === 0
      ? "Von keinem anderen Gerät ist zu hören."
      : `Von ${n(count, "anderen Gerät", "anderen Geräten")} ist zu hören${showing(codes)}.`;

  return {
    title: "Ist alles, wie es sein soll?",
    lead: "Sieht alles durch, was eine Verbindung braucht. Gesendet wird dafür nichts.",
    check: "Verbindung prüfen",
    again: "Noch einmal prüfen",
    checking: "Sieht nach …",
    copy: "Bericht kopieren",
    copied: "Der Bericht ist kopiert. Er enthält keine Adressen, Namen oder Orte.",
    copyFailed: { what: "Kopieren ist hier nicht möglich.", todo: "Markieren Sie die Liste und kopieren Sie sie von Hand." },
    reportTitle: (version, moment) => `Towline ${version}, Prüfung der Verbindung, ${moment}`,
    verdict: { fine: "Gut", fair: "Könnte besser sein", bad: "Geht nicht" },
    allFine: "Alles ist, wie es sein soll.",
    summary: (bad, fair) =>
      [
        bad > 0 ? `${n(bad, "Sache geht", "Sachen gehen")} nicht` : "",
        fair > 0 ? `${n(fair, "Sache könnte", "Sachen könnten")} besser sein` : "",
      ]
        .filter((text) => text !== "")
        .join(", ")
        .concat("."),
    list: "Was gefunden wurde",
    unknown: (check) => ({
      what: `Etwas, das dieses Fenster nicht kennt (${check}).`,
      todo: "Aktualisieren Sie Towline.",
    }),
    server: {
      none: { what: "Kein Signalserver ist eingestellt.", todo: "Über einen werden Geräte in anderen Netzwerken gefunden: Geben Sie in den Einstellungen einen an, oder betreiben Sie dort einen." },
      online: { what: "Der Signalserver ist erreichbar.", todo: "" },
      connecting: { what: "Der Signalserver wird gerade verbunden.", todo: "Prüfen Sie in einigen Sekunden noch einmal." },
      clockToo: "Sehen Sie auch nach der Uhr dieses Computers: Geht sie falsch, scheint kein Zertifikat gültig.",
    },
    lanOnly: { what: "Dieses Gerät bleibt im lokalen Netzwerk. Darüber hinaus wurde darum nichts angesehen.", todo: "" },
    udp: {
      seen: { what: "UDP geht hinaus und kommt zurück.", todo: "" },
      asking: { what: "Ob UDP durchkommt, ist noch nicht bekannt.", todo: "Prüfen Sie in einigen Sekunden noch einmal." },
      not_asked: {
        what: "Ob UDP durchkommt, ist nicht bekannt: Kein Server mit STUN war zu treffen.",
        todo: "Direkte Wege über das lokale Netzwerk hinaus brauchen STUN. Bitten Sie die Verwaltung des Servers, es einzuschalten.",
      },
      silent: {
        what: "UDP kommt nicht durch.",
        todo: "Eine Firewall verwirft es, darum geht alles über den Server. Bitten Sie, wer dieses Netzwerk betreibt, UDP hinauszulassen.",
      },
    },
    nat: {
      open: { what: "Kein Router übersetzt die Adresse dieses Geräts.", todo: "" },
      same: { what: "Der Router behält allen gegenüber einen Port: Direkte Wege werden gefunden.", todo: "" },
      varies: {
        what: "Der Router nimmt zu jeder Adresse einen anderen Port (symmetrisches NAT).",
        todo: "Direkte Wege dauern länger, und zu einem Gerät hinter einem ebensolchen Router gibt es keinen. Starten Sie Towline mit --port und leiten Sie diesen Port im Router weiter.",
      },
      unknown: {
        what: "Was der Router mit Ports macht, ist nicht bekannt.",
        todo: "Es zeigt sich, wo der Signalserver zwei STUN-Adressen nennt; fragen Sie seine Verwaltung.",
      },
    },
    mapping: {
      given: { what: "Der Router führt einen eigenen Port zu diesem Gerät.", todo: "" },
      none: { what: "Der Router gibt auf Anfrage keinen Port.", todo: "Wenn er es kann, erlauben Sie in seinen Einstellungen UPnP, NAT-PMP oder PCP." },
      off: { what: "Der Router wird um keinen Port gebeten: Jemand hat das abgeschaltet.", todo: "Starten Sie Towline ohne --no-port-mapping, wenn gefragt werden darf." },
    },
    mdns: {
      off: {
        what: "Dieses Gerät macht sich im lokalen Netzwerk nicht bekannt.",
        todo: "DISABLE_MDNS oder --no-mdns verlangt das. Geräte in der Nähe treffen sich dann nur über den Server; starten Sie Towline ohne diese Angabe, um das zu ändern.",
      },
      heard: (count, codes) => ({ what: `Ankündigungen im lokalen Netzwerk gelingen. ${others(count, codes)}`, todo: "" }),
      waiting: (count, codes) => ({
        what: `Gerade eben im lokalen Netzwerk angekündigt. ${others(count, codes)}`,
        todo: "Prüfen Sie in einigen Sekunden noch einmal.",
      }),
      silent: (count, codes) => ({
        what: `Die Ankündigung dieses Geräts im lokalen Netzwerk kommt nicht zurück. ${others(count, codes)}`,
        todo: "Es gibt kein Netzwerk, oder eine Firewall dieses Computers verwirft sie: Lassen Sie UDP-Port 5353 hinein und hinaus, auch Multicast.",
      }),
      port_taken: {
        what: "Ein anderes Programm hält UDP-Port 5353 für sich. Geräte in der Nähe werden darum nicht gefunden.",
        todo: "Beenden Sie jenes Programm oder lassen Sie es den Port teilen, und starten Sie Towline neu.",
      },
    },
    paths: {
      what: (connected, relayed) =>
        connected === 0
          ? "Kein Gerät ist gerade verbunden."
          : relayed === 0
            ? `${n(connected, "verbundenes Gerät wird", "verbundene Geräte werden")} direkt erreicht.`
            : `${numbers.count(relayed)} von ${n(connected, "verbundenen Gerät wird", "verbundenen Geräten wird")} nur über den Server erreicht.`,
      todo: "Warum, steht unten bei jedem Gerät.",
    },
    keyring: {
      keyring: { what: "Der Geräteschlüssel ist im Schlüsselbund des Systems.", todo: "" },
      file: {
        what: "Der Geräteschlüssel ist in einer Datei, die nur Sie lesen dürfen.",
        todo: "Für einen Server ist das richtig. Auf einem Arbeitsplatz starten Sie einen Schlüsselbund (gnome-keyring, KWallet), bevor ein Gerät angelegt wird.",
      },
    },
    clock: {
      unknown: { what: "Ob die Uhr richtig geht, ist nicht bekannt: Kein Signalserver hat seine Zeit genannt.", todo: "Sie wird verglichen, sobald ein Server antwortet." },
      right: { what: "Die Uhr stimmt auf eine Minute mit der des Signalservers überein.", todo: "" },
      wrong: (ms, isAhead) => ({
        what: `Die Uhr geht gegenüber der des Signalservers ${numbers.duration(ms)} ${isAhead ? "vor" : "nach"}.`,
        todo: "Wird eine Datei auf zwei Computern geändert, behält die spätere Zeit ihren Namen: Mit einer falschen Uhr ist das die falsche, und Zertifikate scheinen vielleicht ungültig. Stellen Sie die Uhr, oder überlassen Sie das dem System.",
      }),
    },
    disk: {
      room: (available, total) => ({
        what: `${numbers.bytes(available)} von ${numbers.bytes(total)} sind auf einem Datenträger frei.`,
        todo: "Schaffen Sie Platz: Dateien werden neben die alten geschrieben, bevor sie diese ersetzen.",
      }),
      unknown: { what: "Ein Datenträger sagt nicht, wie viel Platz er hat.", todo: "Sehen Sie nach, ob er da und lesbar ist." },
    },
    watches: (directories, limit) => ({
      what: `${n(directories, "Verzeichnis", "Verzeichnisse")} zu beobachten; das System erlaubt ${numbers.count(limit)}.`,
      todo: "Erhöhen Sie fs.inotify.max_user_watches, sonst werden Änderungen nur beim Durchsehen von allem gefunden.",
    }),
    folder: "Ein Ordner ist gestoppt.",
  };
}
