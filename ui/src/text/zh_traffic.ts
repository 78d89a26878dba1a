/** The words for limits of speed: of a folder, of the device, of times and networks; in Simplified Chinese. */
import type { englishTraffic } from "./en_traffic";
import type { Numbers } from "./numbers";

/** The words, for the numbers of one locale. */
export function chineseTraffic(numbers: Numbers): ReturnType<typeof englishTraffic> {
  return {
    now: {
      free: "目前没有限制",
      limited: "目前有限制",
      paused: "目前不传输",
      sending: (speed) => `发送 ${numbers.speed(speed)}`,
      receiving: (speed) => `接收 ${numbers.speed(speed)}`,
    },
    because: {
      always: "",
      schedule: "按时间表",
      metered: "此网络按流量计费",
    },
    held: {
      always: "目前不传输。",
      schedule: "目前按时间表不传输。之后会自动继续。",
      metered: "此网络按流量计费，因此不传输。换到其他网络后会自动继续。",
    },
    send: "发送（MB/s）",
    receive: "接收（MB/s）",
    noLimit: "不限",
    fault: "例如 5 或 0.5 的速度；留空表示不限。",
    title: "速度",
    text: "所有文件夹合计的文件传输速度。设备之间的消息从不限速。",
    save: "保存",
    saved: "已保存",
    scheduleTitle: "时间表",
    scheduleText: "在每周的这些时段采用另一条规则。时段重叠时，以第一个为准。",
    scheduleNone: "没有设置时段：始终采用上面的限制。",
    window: (number) => `时段 ${numbers.count(number)}`,
    days: "日期",
    from: "从",
    to: "到",
    nextDay: "在次日结束。",
    timeFault: "例如 22:00 的时间。",
    daysFault: "请至少选择一天。",
    rule: "此时采用",
    pause: "不传输",
    limit: "其他限制",
    add: "添加时段",
    remove: "移除",
    removeOf: (number) => `移除时段 ${numbers.count(number)}`,
    meteredTitle: "按流量计费的网络",
    meteredText: "例如手机热点。",
    network: "此网络按流量计费吗？",
    networks: {
      system: { name: "以系统为准", text: "系统知道时，Towline 会询问它。" },
      yes: { name: "是", text: "直到您更改为止。" },
      no: { name: "否", text: "直到您更改为止。" },
    },
    meteredRule: "在那里采用",
    nothing: { name: "无特别规则", text: "上面的限制在那里同样有效。" },
    pauseRule: { name: "不传输", text: "文件会等待其他网络。" },
    limitRule: { name: "其他限制", text: "在那里取代上面的限制。" },
  };
}
