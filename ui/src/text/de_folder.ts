/** The words of one folder's screens, in German. */
import type { BrakedView } from "../backend/generated/BrakedView";
import type { englishFolder } from "./en_folder";
import type { Numbers } from "./numbers";

type Braked = Pick<BrakedView, "deletes" | "overwrites" | "revives">;

/** The words, for the numbers of one locale. */
export function germanFolder(numbers: Numbers): ReturnType<typeof englishFolder> {
  const n = (count: number, one: string, other: string) =>
    numbers.plural(count, { one: `# ${one}`, other: `# ${other}` });
  const files = (count: number) => n(count, "Datei", "Dateien");
  const entries = (count: number) => n(count, "Eintrag", "Einträge");
  const change = ({ deletes, overwrites, revives }: Braked) => {
    const parts = [
      ...(deletes > 0 ? [`${files(deletes)} löschen`] : []),
      ...(overwrites > 0 ? [`${files(overwrites)} überschreiben`] : []),
      ...(revives > 0 ? [`${n(revives, "inzwischen gelöschten Eintrag", "inzwischen gelöschte Einträge")} zurückbringen`] : []),
    ];
    return parts.length > 0 ? numbers.list(parts) : "viele Dateien ändern";
  };

  return {
    tabs: {
      label: "Teile dieses Ordners",
      files: "Dateien",
      conflicts: "Konflikte",
      history: "Verlauf",
      rules: "Regeln",
      peers: "Geräte",
      count: (count) => numbers.count(count),
    },
    head: {
      pause: "Anhalten",
      resume: "Fortsetzen",
      paused: "Angehalten. Bis zum Fortsetzen wird nichts gesendet oder empfangen.",
      resumed: "Geht weiter",
      mode: {
        two_way: "In beide Richtungen",
        send_only: "Nur senden",
        receive_only: "Nur empfangen",
      },
      modeText: (mode) => `Richtung: ${mode}`,
    },
    banner: {
      label: "Was Sie hier braucht",
      lookAgain: "Noch einmal nachsehen",
      braked: (peer, waits) => ({
        what: `${peer} will ${change(waits)}.`,
        todo:
          waits.deletes + waits.overwrites > 0
            ? "Das ist viel auf einmal und wartet darum auf Sie. Was vorher geändert wurde, steht im Verlauf."
            : "Es war lange nicht zu sehen, darum wartet das auf Sie. Alles andere ist synchron.",
      }),
      release: "Geschehen lassen",
      releaseTitle: (peer) => `So viel von ${peer} ändern lassen?`,
      releaseText: (waits) =>
        `Es wird hier ${change(waits)}. Was verschwindet, bleibt im Verlauf des Ordners und kann von dort wiederhergestellt werden.`,
      released: "Die Änderung geht weiter",
      undo: "Überall rückgängig machen",
      undone: "Was hier liegt, bleibt auf allen Geräten, wie es ist",
      conflicts: (count) => ({
        what: `${n(count, "Konflikt braucht", "Konflikte brauchen")} Sie.`,
        todo: "Dateien wurden auf zwei Geräten zugleich geändert. Jede Version bleibt, bis Sie wählen.",
      }),
      decide: "Entscheiden",
      local: (count) => ({
        what: `${n(count, "Eintrag wurde hier geändert und bleibt", "Einträge wurden hier geändert und bleiben")} hier.`,
        todo: "Dieser Ordner empfängt nur. Darum bekommt sonst niemand diese Änderungen.",
      }),
      revert: "Verwerfen",
      revertTitle: (count) => `${n(count, "hiesige Änderung", "hiesige Änderungen")} verwerfen?`,
      revertText:
        "Der Ordner wird, was die anderen Geräte haben. Was Sie hier geändert haben, kommt in den Verlauf und kann wiederhergestellt werden.",
      reverted: "Die hiesigen Änderungen sind verworfen",
      differing: (count) => ({
        what: `${n(count, "Eintrag ist", "Einträge sind")} auf anderen Geräten anders.`,
        todo: "Dieser Ordner sendet nur. Darum werden Änderungen von dort hier nicht übernommen.",
      }),
      override: "Durchsetzen",
      overrideTitle: (count) => `${entries(count)} auf den anderen Geräten ersetzen?`,
      overrideText:
        "Alle Geräte werden, was hier liegt, und verlieren, was nur dort liegt. Was verschwindet, bleibt dort im Verlauf und kann dort wiederhergestellt werden.",
      overridden: "Die anderen Geräte bekommen, was hier liegt",
      diskFull: {
        what: "Der Datenträger ist voll.",
        todo: "Schaffen Sie Platz; dann geht es von selbst weiter. Keine Datei, die hier liegt, hat Schaden genommen.",
      },
      spoiled: (count) => ({
        what: `${n(count, "Datei ging", "Dateien gingen")} durch einen Stromausfall verloren.`,
        todo: "Sie kommen von Geräten zurück, die sie haben. Was davon übrig blieb, ist im Verlauf des Ordners.",
      }),
      held: (count, more) => ({
        what: `${more ? `Mehr als ${entries(count)}` : entries(count)} ${count === 1 && !more ? "lässt" : "lassen"} sich hier nicht synchronisieren.`,
        todo: "Alles andere geht weiter.",
      }),
      showHeld: "Zeigen, welche",
      hideHeld: "Ausblenden",
    },
    held: {
      title: "Zurückgehalten",
      text: "Diese Einträge werden erst synchronisiert, wenn der Grund behoben ist. Alles andere geht weiter.",
    },
    list: {
      asking: "Liest …",
      more: "Mehr zeigen",
      again: "Noch einmal versuchen",
    },
    files: {
      way: "Wo Sie im Ordner sind",
      list: (directory) => `Inhalt von ${directory}`,
      emptyTop: "Dieser Ordner ist leer",
      emptyTopText: "Legen Sie Dateien hinein, und jedes Gerät, das mitmacht, bekommt sie.",
      empty: "Dieses Verzeichnis ist leer",
      emptyText: "Es bleibt trotzdem auf jedem Gerät.",
      kind: { file: "Datei", directory: "Verzeichnis", symlink: "Verknüpfung", other: "Eintrag" },
      states: {
        here: "Synchron",
        coming: "Kommt",
        missing: "Nur anderswo",
        local: "Nur hier",
        other: "Unbekannt",
      },
      about: {
        here: "Hier und auf den Geräten, die es haben, ist es gleich.",
        coming: "Ein anderes Gerät hat etwas Neueres. Es kommt von selbst, wenn jenes Gerät verbunden ist.",
        missing: "Es liegt nur auf anderen Geräten und kommt von selbst, wenn eines davon verbunden ist.",
        local: "Es wurde hier geändert und wird anderen nicht mitgeteilt.",
        other: "Dieser Eintrag ist in einem Zustand, den dieses Fenster nicht kennt.",
      },
      on: (names) => `Auch auf ${numbers.list(names)}`,
      onNobody: "Noch auf keinem anderen Gerät",
      history: "Frühere Versionen",
      keys: "Zwischen Dateien bewegen die Pfeiltasten, die Eingabetaste öffnet ein Verzeichnis, die Rücktaste führt nach oben.",
      count: (count, more) => (more ? `${entries(count)} und mehr` : entries(count)),
    },
    conflicts: {
      none: "Keine Konflikte",
      noneText:
        "Wird eine Datei auf zwei Geräten zugleich geändert, bleiben beide Versionen, und Sie wählen hier, welche bleibt.",
      lead: "Auf mehreren Geräten zugleich geändert. Nichts ist verloren: Was Sie nicht behalten, kommt in den Verlauf.",
      list: "Konflikte",
      compare: (path) => `Versionen von ${path} vergleichen`,
      versions: (count) => n(count, "Version", "Versionen"),
      back: "Alle Konflikte",
      allTitle: "Alle auf einmal entscheiden",
      allWinner: "Behalten, was hier liegt",
      allBoth: "Alle Versionen behalten",
      allWinnerTitle: (count) => `In ${n(count, "Konflikt", "Konflikten")} behalten, was hier liegt?`,
      allWinnerText: "Die anderen Versionen kommen in den Verlauf. Dort kann jede wiederhergestellt werden.",
      allBothTitle: (count) => `Alle Versionen von ${n(count, "Konflikt", "Konflikten")} behalten?`,
      allBothText: "Die anderen Versionen werden Dateien neben denen, die hier liegen, auf jedem Gerät.",
      decided: (count) => `${n(count, "Konflikt ist", "Konflikte sind")} entschieden`,
      winner: "Liegt jetzt hier",
      loser: "Beiseitegelegt",
      gone: "Gelöscht",
      goneText: "An diesem Ort liegt jetzt nichts.",
      thisDevice: "Dieses Gerät",
      stranger: (id) => `Unbekanntes Gerät ${id}`,
      newest: "neueste",
      largest: "größte",
      keep: "Diese behalten",
      keepOf: (device) => `Die Version von ${device} behalten`,
      keepGone: "Gelöscht lassen",
      both: (count) => (count > 2 ? "Alle behalten" : "Beide behalten"),
      bothText: "Die anderen Versionen werden Dateien daneben.",
      kept: "Entschieden, auf jedem Gerät",
      previewOf: (device) => `Vorschau der Version von ${device}`,
      differs: "Verschieden:",
      leftOut: (count) => n(count, "gleiche Zeile", "gleiche Zeilen"),
      cut: "Nur der Anfang wird gezeigt.",
      noPreview: "Für diese Art von Datei gibt es keine Vorschau.",
      emptyFile: "Die Datei ist leer.",
      previewFailed: "Die Vorschau lässt sich nicht zeigen.",
      links: "Eine Verknüpfung",
      directory: "Ein Verzeichnis",
    },
    history: {
      lead: "Was andere Geräte ersetzt oder gelöscht haben, das Neueste zuerst. Beim Wiederherstellen bleibt auch als Version, was jetzt dort liegt.",
      filter: "Nach Pfad filtern",
      filterHint: "Teil eines Namens oder Pfads",
      onlyDeleted: "Nur gelöschte Dateien",
      noneDeleted: "Keine gelöschten Dateien",
      noneDeletedText: "Löscht ein anderes Gerät eine Datei, bleibt, was hier lag, und steht in dieser Liste.",
      of: (path) => `Versionen von ${path}`,
      all: "Alle Pfade zeigen",
      none: "Noch keine Versionen",
      noneText: "Ersetzt oder löscht ein anderes Gerät eine Datei, bleibt, was hier lag, und steht in dieser Liste.",
      noneMatch: "Keine Version passt",
      noneMatchText: "Versuchen Sie einen kürzeren Teil des Namens, oder leeren Sie den Filter.",
      searched: (count) => `${n(count, "Version", "Versionen")} durchgesehen`,
      list: "Versionen",
      restore: "Wiederherstellen",
      restoreOf: (path, when) => `${path} wiederherstellen, ersetzt oder gelöscht: ${when}`,
      restored: (name) => `„${name}“ ist wieder da`,
      keptAt: (when) => `Ersetzt oder gelöscht: ${when}`,
      writtenAt: (when) => `zuletzt geändert: ${when}`,
      onlyThis: "Seine Versionen",
      onlyThisOf: (path) => `Alle Versionen von ${path}`,
      moment: "Den Ordner auf einen Zeitpunkt zurückbringen",
      momentText:
        "Jede Datei, die andere Geräte seither ersetzt oder gelöscht haben, wird wieder, was sie war. Was jetzt dort liegt, kommt vorher in diese Liste.",
      momentOpen: "Früherer Stand",
      date: "Datum",
      time: "Uhrzeit",
      hourAgo: "Vor einer Stunde",
      yesterday: "Gestern um diese Zeit",
      weekAgo: "Vor einer Woche",
      bring: "Zurückbringen",
      bringTitle: (when) => `Den Ordner auf den Stand vom ${when} zurückbringen?`,
      bringText:
        "Dateien, die andere Geräte seither ersetzt oder gelöscht haben, kommen zurück, wie sie waren, hier und auf jedem Gerät, das mitmacht. Was jetzt an ihrem Ort liegt, kommt vorher in den Verlauf, und was seither dazukam, bleibt.",
      bringing: "Bringt Dateien zurück …",
      bringingLabel: "Dateien, die zurückgebracht werden",
      bringingText: (done, total) => `${numbers.count(done)} von ${files(total)}`,
      stop: "Abbrechen",
      brought: (count, failed) =>
        failed > 0
          ? `${files(count)} zurückgebracht, bei ${numbers.count(failed)} ging es nicht, und es bleibt, wie es ist.`
          : count === 0
            ? "Nichts musste zurückgebracht werden: Der Ordner ist, wie er damals war."
            : `${files(count)} zurückgebracht.`,
      noMoment: "Das sind kein Datum und keine Uhrzeit. Schreiben Sie sie wie 2026-11-28 und 14:30.",
      future: "Dieser Zeitpunkt ist noch nicht gekommen.",
    },
    rules: {
      directionTitle: "Richtung",
      modes: {
        two_way: { name: "In beide Richtungen", text: "Änderungen gehen hin und her. Alle Geräte bleiben gleich." },
        send_only: {
          name: "Nur senden",
          text: "Änderungen gehen von hier zu den anderen. Was dort geändert wird, wird hier nicht übernommen.",
        },
        receive_only: {
          name: "Nur empfangen",
          text: "Änderungen kommen von den anderen hierher. Was Sie hier ändern, bleibt hier und kann verworfen werden.",
        },
      },
      modeSet: (mode) => `Richtung: ${mode}`,
      ignoreTitle: "Was ausgelassen wird",
      ignoreText:
        "Eine Regel je Zeile, wie in einer .gitignore: *.tmp, /build/, !keep.me. Ausgelassene Dateien bleiben, wo sie sind, und werden nicht synchronisiert.",
      shared: "Regeln für alle Geräte",
      sharedHint: "Sie reisen mit dem Ordner.",
      local: "Regeln für dieses Gerät",
      localHint: "Sie bleiben hier.",
      badLine: (line) => `Zeile ${numbers.count(line)} ist keine Regel.`,
      matchesTitle: "Was diese Regeln auslassen",
      matching: "Sucht …",
      matches: (count) =>
        count === 0
          ? "Nichts von dem, was hier liegt."
          : numbers.plural(count, { one: "# Eintrag, der hier liegt:", other: "# Einträge, die hier liegen:" }),
      matchesMore: (count) => `und ${numbers.count(count)} weitere`,
      save: "Speichern",
      saved: "Gespeichert",
      saveRules: "Regeln speichern",
      rulesSaved: "Regeln gespeichert",
      discard: "Änderungen verwerfen",
      limitsTitle: "Geschwindigkeit dieses Ordners",
      limitsText: "Die Grenzen des ganzen Geräts und sein Zeitplan gelten auch; die kleinere zählt.",
      keepTitle: "Wie lange Versionen bleiben",
      keepText: "Was andere Geräte ersetzen oder löschen, bleibt eine Weile auf diesem Datenträger.",
      trash: { name: "Alle", text: "Jede Version bleibt, bis sie zu alt ist." },
      staggered: {
        name: "Ausgedünnt",
        text: "Je älter, desto weniger bleiben: von heute viele, am Ende eine je Woche.",
      },
      days: "Tage",
      room: "Höchstens, in GiB",
      percent: "Höchstens, in Prozent des Datenträgers",
      daysFault: "Eine Zahl von Tagen zwischen 1 und 36.500.",
      roomFault: "Eine Größe wie 10 oder 0,5.",
      percentFault: "Eine Zahl von 1 bis 100.",
      brakeTitle: "Bremse",
      brakeText: "Löscht oder überschreibt ein anderes Gerät sehr viel auf einmal, geschieht hier nichts, bis Sie Ja sagen.",
      brakeOn: "Vor einer Massenänderung fragen",
      brakeEntries: "Mehr Dateien als",
      brakePercent: "Oder mehr Prozent des Ordners als",
      brakeEntriesFault: "Eine Zahl von 1 bis 1.000.000.000.",
      conflictsTitle: "Wo Konflikte liegen",
      inbox: { name: "Im Eingang", text: "Unter Konflikte, im Ordner nicht zu sehen." },
      beside: { name: "Neben der Datei", text: "Als Dateien mit „conflict“ im Namen." },
      attributesTitle: "Erweiterte Attribute",
      attributesText:
        "Schlagwörter und Notizen, die Programme neben einer Datei ablegen. Geräte, die sie aufbewahren, geben sie einander; andere reichen sie weiter.",
      attributesOn: "Auf diesem Gerät mit den Dateien aufbewahren",
      stopTitle: "Nicht mehr synchronisieren",
      stopText: "Die Dateien bleiben auf diesem Computer und auf den anderen.",
    },
  };
}
