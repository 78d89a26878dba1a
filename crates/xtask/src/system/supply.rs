//! Where a machine's packages come from: installed with apt, or named in a sentence for a person.
//!
//! Pure: it decides from the operating system's name, the contents of `/etc/os-release` and what is
//! here already, so that every sentence can be seen and tested on any system. Names of packages are
//! those of Debian 12, Ubuntu 22.04, Fedora 40, Arch, and their successors; of other distributions
//! it only says what is needed.

use super::Purpose;

/// What decides where packages come from.
#[derive(Clone, Copy)]
pub(super) struct Machine<'a> {
    /// The operating system, as `std::env::consts::OS` names it.
    pub(super) os: &'a str,
    /// The contents of `/etc/os-release`; empty where there is none.
    pub(super) os_release: &'a str,
    /// Whether something is here already.
    pub(super) has: &'a dyn Fn(Sign) -> bool,
}

/// What shows that something is installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    /// A program of this name in the search path.
    Program(&'static str),
    /// A library of this name that pkg-config knows.
    Library(&'static str),
    /// A browser in which the UI is tested.
    Browser,
}

/// How what a purpose needs comes to a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Supply {
    /// Nothing is missing.
    Complete,
    /// Packages for apt, some of which may be here already.
    Apt(Vec<&'static str>),
    /// What the person is to do; begins with a verb and has no full stop.
    Told(String),
}

impl Machine<'_> {
    /// All that `purpose` needs, in the order in which it is to be had.
    pub(super) fn supplies(&self, purpose: Purpose) -> Vec<Supply> {
        match self.system() {
            System::Debian => vec![Supply::Apt(debian_packages(purpose).to_vec())],
            System::Ubuntu => self.of_ubuntu(purpose),
            System::Fedora => vec![self.by_hand("dnf install", purpose, Needed::fedora)],
            System::Arch => vec![self.by_hand("pacman -S --needed", purpose, Needed::arch)],
            System::OtherLinux => vec![self.told(purpose)],
            System::Macos => vec![of_macos(purpose)],
            System::Windows => vec![of_windows(purpose)],
        }
    }

    fn system(&self) -> System {
        match self.os {
            "macos" => return System::Macos,
            "windows" => return System::Windows,
            _ => {}
        }
        let kin = kin(self.os_release);
        let is = |name: &str| kin.contains(&name);
        let has = |program| (self.has)(Sign::Program(program));
        if has("apt-get") && has("dpkg-query") {
            if is("ubuntu") {
                System::Ubuntu
            } else {
                System::Debian
            }
        } else if is("fedora") && !is("rhel") {
            // What is built from Fedora for servers lacks WebKitGTK 4.1.
            System::Fedora
        } else if is("arch") {
            System::Arch
        } else {
            System::OtherLinux
        }
    }

    /// Debian's packages but Chromium, which Ubuntu has as a snap only: it sees no files of tests.
    fn of_ubuntu(&self, purpose: Purpose) -> Vec<Supply> {
        let packages = debian_packages(purpose);
        let is_there = |name: &&str| *name != CHROMIUM;
        let known = packages.iter().copied().filter(is_there).collect();
        let mut supplies = vec![Supply::Apt(known)];
        let has_browser = (self.has)(Sign::Program("google-chrome"));
        if packages.contains(&CHROMIUM) && !has_browser {
            supplies.push(Supply::Told(
                "install Google Chrome from google.com/chrome; Ubuntu has Chromium as a snap only"
                    .to_owned(),
            ));
        }
        supplies
    }

    /// The command that installs what is missing.
    fn by_hand(
        &self,
        install: &str,
        purpose: Purpose,
        name: fn(&Needed) -> &'static str,
    ) -> Supply {
        let mut packages: Vec<_> = self.missing(purpose).map(name).collect();
        packages.sort_unstable();
        packages.dedup();
        if packages.is_empty() {
            return Supply::Complete;
        }
        let packages = packages.join(" ");
        Supply::Told(if (self.has)(Sign::Program("sudo")) {
            format!("run `sudo {install} {packages}`")
        } else {
            format!("run `{install} {packages}` as root")
        })
    }

    /// What is missing, in words, for systems whose packages we do not know.
    fn told(&self, purpose: Purpose) -> Supply {
        let mut things: Vec<_> = self.missing(purpose).map(|needed| needed.words).collect();
        things.dedup();
        match things.as_slice() {
            [] => Supply::Complete,
            things => Supply::Told(format!("install {}", things.join(", "))),
        }
    }

    fn missing(&self, purpose: Purpose) -> impl Iterator<Item = &'static Needed> {
        needed(purpose)
            .iter()
            .filter(|needed| !(self.has)(needed.sign))
    }
}

/// Systems by where their packages come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum System {
    Debian,
    Ubuntu,
    Fedora,
    Arch,
    OtherLinux,
    Macos,
    Windows,
}

/// The distribution's own name and those it is made from, as os-release(5) gives them.
fn kin(os_release: &str) -> Vec<&str> {
    let fields = os_release.lines().filter_map(|line| line.split_once('='));
    fields
        .filter(|(name, _)| matches!(*name, "ID" | "ID_LIKE"))
        .flat_map(|(_, value)| value.trim_matches(['"', '\'']).split_whitespace())
        .collect()
}

/// Something that a purpose needs, what shows that it is here, and what it is called where.
struct Needed {
    sign: Sign,
    fedora: &'static str,
    arch: &'static str,
    words: &'static str,
}

impl Needed {
    fn fedora(&self) -> &'static str {
        self.fedora
    }

    fn arch(&self) -> &'static str {
        self.arch
    }
}

const fn program(
    name: &'static str,
    fedora: &'static str,
    arch: &'static str,
    words: &'static str,
) -> Needed {
    Needed {
        sign: Sign::Program(name),
        fedora,
        arch,
        words,
    }
}

const fn library(
    name: &'static str,
    fedora: &'static str,
    arch: &'static str,
    words: &'static str,
) -> Needed {
    Needed {
        sign: Sign::Library(name),
        fedora,
        arch,
        words,
    }
}

fn needed(purpose: Purpose) -> &'static [Needed] {
    match purpose {
        Purpose::Headless => COMPILING,
        Purpose::ProcessTests => PROCESS_TESTS,
        Purpose::Window => WINDOW,
        Purpose::WindowTests => WINDOW_TESTS,
        Purpose::Benchmarks => BENCHMARKS,
        Purpose::Lab => LAB,
        Purpose::Deployment => DEPLOYMENT,
        Purpose::Bundles => BUNDLES,
    }
}

const COMPILING: &[Needed] = &[
    program("cc", "gcc", "base-devel", "a C compiler"),
    program("make", "make", "base-devel", "make"),
    program(
        "pkg-config",
        "pkgconf-pkg-config",
        "base-devel",
        "pkg-config",
    ),
    // The matcher of ignore rules is held against it.
    program("git", "git", "git", "git"),
];

const PROCESS_TESTS: &[Needed] = &[
    program("dbus-run-session", "dbus-daemon", "dbus", "D-Bus"),
    program(
        "gnome-keyring-daemon",
        "gnome-keyring",
        "gnome-keyring",
        "gnome-keyring",
    ),
    program("secret-tool", "libsecret", "libsecret", "secret-tool"),
    // Network namespaces, and small disks that fill up or go away.
    program("ip", "iproute", "iproute2", "ip"),
    program("mount", "util-linux", "util-linux", "mount"),
    // What stands between a device and its signal server.
    program("nginx", "nginx", "nginx", "nginx"),
    program("tinyproxy", "tinyproxy", "tinyproxy", "tinyproxy"),
    program("microsocks", "microsocks", "microsocks", "microsocks"),
    // A filesystem whose power fails.
    program("mkfs.ext4", "e2fsprogs", "e2fsprogs", "mkfs.ext4"),
    // A filesystem that does not see case.
    program("mkfs.exfat", "exfatprogs", "exfatprogs", "mkfs.exfat"),
    program(
        "mount.exfat-fuse",
        "fuse-exfat",
        "exfat-utils",
        "exfat-fuse",
    ),
    // Somebody else's view of what devices announce on a network.
    program("avahi-daemon", "avahi", "avahi", "avahi"),
    program("avahi-browse", "avahi-tools", "avahi", "avahi's tools"),
    // Somebody who watches the network.
    program("tcpdump", "tcpdump", "tcpdump", "tcpdump"),
    // A server that lends addresses.
    program("turnserver", "coturn", "coturn", "coturn"),
    // Two tabs that meet at a signal server.
    BROWSER,
    REDIS,
    // A reader of a device's numbers.
    program("prometheus", "prometheus", "prometheus", "Prometheus"),
];

const WINDOW: &[Needed] = &[
    library(
        "webkit2gtk-4.1",
        "webkit2gtk4.1-devel",
        "webkit2gtk-4.1",
        "headers of WebKitGTK 4.1",
    ),
    library("dbus-1", "dbus-devel", "dbus", "headers of D-Bus"),
    library(
        "librsvg-2.0",
        "librsvg2-devel",
        "librsvg",
        "headers of librsvg",
    ),
];

const WINDOW_TESTS: &[Needed] = &[
    program("Xvfb", "xorg-x11-server-Xvfb", "xorg-server-xvfb", "Xvfb"),
    program(
        "WebKitWebDriver",
        "webkitgtk6.0",
        "webkitgtk-6.0",
        "WebKitWebDriver",
    ),
    BROWSER,
    program("dbus-run-session", "dbus-daemon", "dbus", "D-Bus"),
    program("dbus-launch", "dbus-x11", "dbus", "D-Bus"),
    program("import", "ImageMagick", "imagemagick", "ImageMagick"),
    program("dunst", "dunst", "dunst", "dunst"),
    program("openbox", "openbox", "openbox", "openbox"),
    program("wmctrl", "wmctrl", "wmctrl", "wmctrl"),
    program("xdotool", "xdotool", "xdotool", "xdotool"),
    program("xprop", "xprop", "xorg-xprop", "xprop"),
    program("xfce4-panel", "xfce4-panel", "xfce4-panel", "xfce4-panel"),
];

const BROWSER: Needed = Needed {
    sign: Sign::Browser,
    fedora: CHROMIUM,
    arch: CHROMIUM,
    words: "Chromium",
};

/// What several signal servers share.
const REDIS: Needed = program("redis-server", "redis", "valkey", "Redis");

const BENCHMARKS: &[Needed] = &[
    program("curl", "curl", "curl", "curl"),
    program("ethtool", "ethtool", "ethtool", "ethtool"),
    program("iperf3", "iperf3", "iperf3", "iperf3"),
    program("nft", "nftables", "nftables", "nft"),
    REDIS,
    program("rsync", "rsync", "rsync", "rsync"),
    program("syncthing", "syncthing", "syncthing", "syncthing"),
];

const LAB: &[Needed] = &[
    program("ip", "iproute", "iproute2", "ip"),
    program("nft", "nftables", "nftables", "nft"),
    program("turnserver", "coturn", "coturn", "coturn"),
    // A router that gives ports.
    program("miniupnpd", "miniupnpd", "miniupnpd", "miniupnpd"),
];

const DEPLOYMENT: &[Needed] = &[
    program("bwrap", "bubblewrap", "bubblewrap", "bubblewrap"),
    program("caddy", "caddy", "caddy", "Caddy"),
    program("curl", "curl", "curl", "curl"),
    program("ip", "iproute", "iproute2", "ip"),
    program("logrotate", "logrotate", "logrotate", "logrotate"),
    program("nginx", "nginx", "nginx", "nginx"),
    program("openssl", "openssl", "openssl", "openssl"),
    program("pgrep", "procps-ng", "procps-ng", "pgrep"),
    program("amtool", "alertmanager", "alertmanager", "Alertmanager"),
    program("prometheus", "prometheus", "prometheus", "Prometheus"),
    program("python3", "python3", "python", "Python"),
    REDIS,
    program("strace", "strace", "strace", "strace"),
    program("systemd-analyze", "systemd", "systemd", "systemd"),
    program("turnserver", "coturn", "coturn", "coturn"),
];

const BUNDLES: &[Needed] = &[
    program("objdump", "binutils", "binutils", "objdump"),
    program(
        "desktop-file-validate",
        "desktop-file-utils",
        "desktop-file-utils",
        "desktop-file-validate",
    ),
    program("bwrap", "bubblewrap", "bubblewrap", "bubblewrap"),
    program("dpkg-deb", "dpkg", "dpkg", "dpkg-deb"),
    program(
        "mksquashfs",
        "squashfs-tools",
        "squashfs-tools",
        "mksquashfs",
    ),
    program("rpmbuild", "rpm-build", "rpm-tools", "rpmbuild"),
];

/// Names in Debian 12; fonts are among them so that pictures look the same wherever we install.
fn debian_packages(purpose: Purpose) -> &'static [&'static str] {
    match purpose {
        Purpose::Headless => &["build-essential", "git", "pkg-config"],
        Purpose::ProcessTests => &[
            "avahi-daemon",
            "avahi-utils",
            CHROMIUM,
            "coturn",
            "dbus",
            "e2fsprogs",
            "exfat-fuse",
            "exfatprogs",
            "gnome-keyring",
            "iproute2",
            "libsecret-tools",
            "microsocks",
            "mount",
            "nginx-light",
            "procps",
            "prometheus",
            "redis-server",
            "tcpdump",
            "tinyproxy-bin",
        ],
        Purpose::Window => &["libdbus-1-dev", "librsvg2-dev", "libwebkit2gtk-4.1-dev"],
        Purpose::WindowTests => &[
            CHROMIUM,
            "dbus",
            "dbus-x11",
            "dunst",
            "fonts-dejavu-core",
            "fonts-inter",
            "fonts-noto-color-emoji",
            "fonts-wqy-microhei",
            "imagemagick",
            "openbox",
            "webkit2gtk-driver",
            "wmctrl",
            "x11-utils",
            "xdotool",
            "xfce4-panel",
            "xvfb",
        ],
        Purpose::Benchmarks => &[
            "curl",
            "ethtool",
            "iperf3",
            "nftables",
            "redis-server",
            "rsync",
            "syncthing",
        ],
        Purpose::Lab => &["coturn", "iproute2", "miniupnpd-nftables", "nftables"],
        Purpose::Deployment => &[
            "bubblewrap",
            "caddy",
            "coturn",
            "curl",
            "iproute2",
            "logrotate",
            "nginx-light",
            "openssl",
            "procps",
            "prometheus",
            "prometheus-alertmanager",
            "python3-venv",
            "redis-server",
            "strace",
            "systemd",
        ],
        Purpose::Bundles => &[
            "binutils",
            "bubblewrap",
            "desktop-file-utils",
            "libfuse2",
            "rpm",
            "squashfs-tools",
        ],
    }
}

const CHROMIUM: &str = "chromium";

fn of_macos(purpose: Purpose) -> Supply {
    let sentence = match purpose {
        // Without a linker we would not run.
        Purpose::Headless | Purpose::ProcessTests | Purpose::Window => return Supply::Complete,
        Purpose::WindowTests => BROWSER_ONLY,
        Purpose::Benchmarks => "install rsync and syncthing, for example from Homebrew",
        Purpose::Lab => LINUX_ONLY,
        Purpose::Deployment => SERVERS_ONLY,
        Purpose::Bundles => BUNDLES_ONLY,
    };
    Supply::Told(sentence.to_owned())
}

fn of_windows(purpose: Purpose) -> Supply {
    let sentence = match purpose {
        Purpose::Headless | Purpose::ProcessTests => return Supply::Complete,
        Purpose::Window => {
            "install the WebView2 runtime if this is Windows 10 from before version 1803"
        }
        Purpose::WindowTests => BROWSER_ONLY,
        Purpose::Benchmarks => "install rsync and syncthing",
        Purpose::Lab => LINUX_ONLY,
        Purpose::Deployment => SERVERS_ONLY,
        Purpose::Bundles => BUNDLES_ONLY,
    };
    Supply::Told(sentence.to_owned())
}

const SERVERS_ONLY: &str =
    "servers are deployed on Linux, and what reads their files is there; use Linux";

const BUNDLES_ONLY: &str = "bundles are made on Linux so far; use Linux";

const LINUX_ONLY: &str = "the lab of networks is made of Linux's namespaces; use Linux";

const BROWSER_ONLY: &str =
    "install Google Chrome for the tests of the UI; the window itself is tested on Linux only";

#[cfg(test)]
mod tests;
