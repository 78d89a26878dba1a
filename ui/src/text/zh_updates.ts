/** The words for updates of the app, in Simplified Chinese. */
import type { englishUpdates } from "./en_updates";
import type { Numbers } from "./numbers";

/** The words, for the numbers of one locale. */
export function chineseUpdates(numbers: Numbers): ReturnType<typeof englishUpdates> {
  const again = "请重新检查。如果仍然如此，请从原来的来源重新获取 Towline。";

  return {
    title: "更新",
    text: "Towline 在启动时以及每天一次查找新版本。它不会透露您是谁，也不会透露您使用的版本。",
    runs: (version) => `当前是 Towline ${version}。`,
    answered: (ms) => `查询于 ${numbers.moment(ms)}`,
    never: "尚未查询",
    state: {
      idle: "已是最新",
      checking: "正在查找新版本",
      available: (version) => `有新版本 Towline ${version}`,
      downloading: (version) => `正在下载 Towline ${version}`,
      ready: (version) => `Towline ${version} 已就绪`,
      installing: (version) => `正在安装 Towline ${version}`,
    },
    readyText: "您退出 Towline 时会安装它。正在写入的内容会先完成。",
    nowText: "下载完成后立即安装。正在写入的内容会先完成，然后 Towline 重新启动。",
    quitText: "您退出 Towline 时会安装它。",
    installingText: "您的文件夹暂不同步。Towline 马上会重新启动。",
    progress: "更新进度",
    got: (got, total) => (total === null ? numbers.bytes(got) : `${numbers.bytes(got)}，共 ${numbers.bytes(total)}`),
    news: (version) => `${version} 的新内容`,
    noNews: "发布者没有说明。",
    check: "立即检查",
    now: "安装并重新启动",
    quit: "退出 Towline 时安装",
    show: "查看",
    notice: {
      available: (version) => ({
        what: `有新版本 Towline ${version}。`,
        todo: "查看新内容，并选择何时安装。",
      }),
      ready: (version) => ({
        what: `Towline ${version} 已就绪。`,
        todo: "您退出 Towline 时会安装它，也可以立即安装。",
      }),
    },
    channel: "使用哪些版本",
    channels: {
      stable: { name: "稳定版", text: "已有他人试用过。" },
      beta: { name: "测试版", text: "更早获得新功能，也会遇到其中的错误。" },
    },
    pinned: (version) => `只安装以 ${version} 开头的版本。`,
    automatic: "自动下载新版本，并在退出 Towline 时安装",
    automaticText: "文件暂停传输时，或在按流量计费的网络上，不会自动下载。",
    locked: {
      administrator: "由这台电脑的管理员设定。",
      file: "在此设备的设置文件中设定。",
    },
    place: {
      replaced: "",
      package: "Towline 是以软件包形式安装的。安装新版本需要管理员密码；没有密码时，请使用系统的软件包管理器。",
      read_only: "Towline 所在的位置您无权写入，因此无法自行更新。请把它移到您自己的目录，或询问放置它的人。",
    },
    elsewhere:
      "此设备在另一个程序（“towline up”）中运行。更新此窗口不会影响它：请同时更新那个程序并重新启动。",
    off: {
      development: { what: "此版本没有更新。", todo: "它是由源代码构建的。请获取新的源代码并重新构建。" },
      rule: { what: "更新已关闭。", todo: "" },
      unreadable: { what: "无法读取设置文件，因此不会查询更新。", todo: "请改正其中的“update”一行，或将其删除。" },
      local_network: { what: "此设备留在本地网络，因此不会查询更新。", todo: "要查找更新，请关闭该选项。" },
      starting: { what: "Towline 马上会查找新版本。", todo: "" },
    },
    before: "上次更新未能安装。",
    codes: {
      unreachable: { what: "无法连接更新的发布者。", todo: "请检查网络后重试。Towline 也会自行重试。" },
      nothing_there: { what: "发布者没有提供这类版本。", todo: "请选择另一种，或稍候。" },
      manifest_signature: {
        what: "应答的不是 Towline 的发布者，或者应答在途中被更改。",
        todo: `没有安装任何内容。${again}`,
      },
      manifest_malformed: { what: "无法理解发布者的应答。", todo: again },
      signature: {
        what: "下载的内容与 Towline 发布者签名的不符。",
        todo: `已丢弃，没有安装任何内容。${again}`,
      },
      signed_version: {
        what: "下载的版本与所公布的版本不同。",
        todo: `已丢弃，没有安装任何内容。${again}`,
      },
      download: { what: "新版本没有完整下载。", todo: "没有安装任何内容。请检查网络后重试。" },
      no_build: { what: "没有适用于此类电脑的新版本。", todo: "请到您获取 Towline 的地方查看。" },
      rights: {
        what: "没有人输入管理员密码，因此软件包没有安装。",
        todo: "请输入密码重试，或使用系统的软件包管理器安装。",
      },
      disk: {
        what: "无法把新版本写入 Towline 所在的位置。",
        todo: "请在那里腾出空间，或检查您是否有权写入。现有版本会继续运行。",
      },
      install: {
        what: "系统没有安装新版本。",
        todo: "现有版本会继续运行。请从您获取 Towline 的地方获取新版本。",
      },
    },
  };
}
