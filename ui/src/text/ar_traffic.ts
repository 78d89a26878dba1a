/** The words for limits of speed: of a folder, of the device, of times and networks; in Arabic. */
import { ltr } from "./ar_pieces";
import type { englishTraffic } from "./en_traffic";
import type { Numbers } from "./numbers";

/** The words, for the numbers of one locale. */
export function arabicTraffic(numbers: Numbers): ReturnType<typeof englishTraffic> {
  return {
    now: {
      free: "لا حد الآن",
      limited: "محدود الآن",
      paused: "لا نقل الآن",
      sending: (speed) => `الإرسال ${numbers.speed(speed)}`,
      receiving: (speed) => `الاستلام ${numbers.speed(speed)}`,
    },
    because: {
      always: "",
      schedule: "حسب الجدول الزمني",
      metered: "هذه الشبكة محسوبة بالحجم",
    },
    held: {
      always: "لا نقل الآن.",
      schedule: "لا نقل الآن حسب الجدول الزمني. يُستأنف العمل تلقائيًا.",
      metered: "لا نقل على هذه الشبكة لأنها محسوبة بالحجم. يُستأنف العمل تلقائيًا على غيرها.",
    },
    send: `الإرسال (${ltr("MB/s")})`,
    receive: `الاستلام (${ltr("MB/s")})`,
    noLimit: "بلا حد",
    fault: "سرعة مثل 5 أو 0.5؛ والفراغ يعني بلا حد.",
    title: "السرعة",
    text: "سرعة نقل الملفات القصوى لكل المجلدات معًا. الرسائل بين أجهزتك لا تُبطَّأ أبدًا.",
    save: "حفظ",
    saved: "حُفظ",
    scheduleTitle: "الجدول الزمني",
    scheduleText: "في هذه الأوقات من الأسبوع تسري قاعدة أخرى. حيث تتداخل الأوقات تُعتمد الأولى.",
    scheduleNone: "لم تُحدَّد أوقات: تسري الحدود أعلاه دائمًا.",
    window: (number) => `الوقت ${numbers.count(number)}`,
    days: "الأيام",
    from: "من",
    to: "إلى",
    nextDay: "ينتهي في اليوم التالي.",
    timeFault: `وقت مثل ${ltr("22:00")}.`,
    daysFault: "اختر يومًا واحدًا على الأقل.",
    rule: "ما يسري حينها",
    pause: "لا نقل",
    limit: "حدود أخرى",
    add: "إضافة وقت",
    remove: "إزالة",
    removeOf: (number) => `إزالة الوقت ${numbers.count(number)}`,
    meteredTitle: "الشبكات المحسوبة بالحجم",
    meteredText: "مثل نقطة اتصال الهاتف.",
    network: "هل هذه الشبكة محسوبة بالحجم؟",
    networks: {
      system: { name: "كما يقول النظام", text: "حيث يعلم النظام ذلك يسأله Towline." },
      yes: { name: "نعم", text: "حتى تقول غير ذلك." },
      no: { name: "لا", text: "حتى تقول غير ذلك." },
    },
    meteredRule: "ما يسري هناك",
    nothing: { name: "لا شيء خاصًا", text: "تسري الحدود أعلاه هناك أيضًا." },
    pauseRule: { name: "لا نقل", text: "تنتظر الملفات شبكة أخرى." },
    limitRule: { name: "حدود أخرى", text: "تسري هناك بدل الحدود أعلاه." },
  };
}
