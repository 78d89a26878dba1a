/** The words for limits of speed: of a folder, of the device, of times and networks; in German. */
import type { englishTraffic } from "./en_traffic";
import type { Numbers } from "./numbers";

/** The words, for the numbers of one locale. */
export function germanTraffic(numbers: Numbers): ReturnType<typeof englishTraffic> {
  return {
    now: {
      free: "Jetzt ohne Grenze",
      limited: "Jetzt begrenzt",
      paused: "Jetzt wird nichts übertragen",
      sending: (speed) => `senden mit ${numbers.speed(speed)}`,
      receiving: (speed) => `empfangen mit ${numbers.speed(speed)}`,
    },
    because: {
      always: "",
      schedule: "nach Zeitplan",
      metered: "dieses Netzwerk kostet nach Volumen",
    },
    held: {
      always: "Jetzt wird nichts übertragen.",
      schedule: "Jetzt wird nichts übertragen: So will es der Zeitplan. Es geht von selbst weiter.",
      metered: "In diesem Netzwerk wird nichts übertragen, weil es nach Volumen kostet. In einem anderen geht es von selbst weiter.",
    },
    send: "Senden, in MB/s",
    receive: "Empfangen, in MB/s",
    noLimit: "keine Grenze",
    fault: "Eine Geschwindigkeit wie 5 oder 0,5; leer ist keine Grenze.",
    title: "Geschwindigkeit",
    text: "Wie schnell Dateien übertragen werden dürfen, über alle Ordner zusammen. Nachrichten zwischen Ihren Geräten werden nie gebremst.",
    save: "Speichern",
    saved: "Gespeichert",
    scheduleTitle: "Zeitplan",
    scheduleText: "Zu diesen Zeiten der Woche gilt eine andere Regel. Wo sich Zeiten überschneiden, zählt die erste.",
    scheduleNone: "Keine Zeiten sind eingestellt: Die Grenzen oben gelten immer.",
    window: (number) => `Zeit ${numbers.count(number)}`,
    days: "Tage",
    from: "Von",
    to: "Bis",
    nextDay: "Sie endet am nächsten Tag.",
    timeFault: "Eine Uhrzeit wie 22:00.",
    daysFault: "Wählen Sie mindestens einen Tag.",
    rule: "Was dann gilt",
    pause: "Nichts wird übertragen",
    limit: "Andere Grenzen",
    add: "Zeit hinzufügen",
    remove: "Entfernen",
    removeOf: (number) => `Zeit ${numbers.count(number)} entfernen`,
    meteredTitle: "Netzwerke, die nach Volumen kosten",
    meteredText: "Zum Beispiel der Hotspot eines Telefons.",
    network: "Kostet dieses Netzwerk nach Volumen?",
    networks: {
      system: { name: "Wie das System sagt", text: "Wo das System es weiß, fragt Towline es." },
      yes: { name: "Ja", text: "Bis Sie etwas anderes sagen." },
      no: { name: "Nein", text: "Bis Sie etwas anderes sagen." },
    },
    meteredRule: "Was dort gilt",
    nothing: { name: "Nichts Besonderes", text: "Die Grenzen oben gelten auch dort." },
    pauseRule: { name: "Nichts wird übertragen", text: "Dateien warten auf ein anderes Netzwerk." },
    limitRule: { name: "Andere Grenzen", text: "Sie gelten dort statt der Grenzen oben." },
  };
}
