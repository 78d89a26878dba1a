//! Every sentence that a system is told, as it is said.

use super::*;

/// What is said on a machine of this system, in the order of the purposes.
fn said(os: &str, os_release: &str, here: &[Sign]) -> Vec<String> {
    let machine = Machine {
        os,
        os_release,
        has: &|sign| here.contains(&sign),
    };
    let mut lines = Vec::new();
    for purpose in Purpose::ALL {
        for supply in machine.supplies(*purpose) {
            let what = match supply {
                Supply::Complete => "everything is here".to_owned(),
                Supply::Apt(packages) => format!("apt {}", packages.join(" ")),
                Supply::Told(sentence) => sentence,
            };
            lines.push(format!("{}: {what}", purpose.label()));
        }
    }
    lines
}

#[test]
fn debian() {
    assert_eq!(
        said("linux", DEBIAN, APT),
        [
            "compiling: apt build-essential git pkg-config",
            "tests of processes: apt avahi-daemon avahi-utils chromium coturn dbus e2fsprogs exfat-fuse exfatprogs gnome-keyring iproute2 libsecret-tools microsocks mount nginx-light procps prometheus redis-server tcpdump tinyproxy-bin",
            "the window: apt libdbus-1-dev librsvg2-dev libwebkit2gtk-4.1-dev",
            "window tests: apt chromium dbus dbus-x11 dunst fonts-dejavu-core fonts-inter \
             fonts-noto-color-emoji fonts-wqy-microhei imagemagick openbox webkit2gtk-driver \
             wmctrl x11-utils xdotool xfce4-panel xvfb",
            "benchmarks: apt curl ethtool iperf3 nftables redis-server rsync syncthing",
            "network lab: apt coturn iproute2 miniupnpd-nftables nftables",
            "deployment: apt bubblewrap caddy coturn curl iproute2 logrotate nginx-light openssl procps prometheus prometheus-alertmanager python3-venv redis-server strace systemd",
            "bundles: apt binutils bubblewrap desktop-file-utils libfuse2 rpm squashfs-tools",
        ]
    );
}

#[test]
fn ubuntu_has_no_chromium_for_apt() {
    assert_eq!(
        said("linux", UBUNTU, APT),
        [
            "compiling: apt build-essential git pkg-config",
            "tests of processes: apt avahi-daemon avahi-utils coturn dbus e2fsprogs exfat-fuse exfatprogs gnome-keyring iproute2 libsecret-tools microsocks mount nginx-light procps prometheus redis-server tcpdump tinyproxy-bin",
            "tests of processes: install Google Chrome from google.com/chrome; Ubuntu has Chromium as \
             a snap only",
            "the window: apt libdbus-1-dev librsvg2-dev libwebkit2gtk-4.1-dev",
            "window tests: apt dbus dbus-x11 dunst fonts-dejavu-core fonts-inter fonts-noto-color-emoji \
             fonts-wqy-microhei imagemagick openbox webkit2gtk-driver wmctrl x11-utils xdotool \
             xfce4-panel xvfb",
            "window tests: install Google Chrome from google.com/chrome; Ubuntu has Chromium as a \
             snap only",
            "benchmarks: apt curl ethtool iperf3 nftables redis-server rsync syncthing",
            "network lab: apt coturn iproute2 miniupnpd-nftables nftables",
            "deployment: apt bubblewrap caddy coturn curl iproute2 logrotate nginx-light openssl procps prometheus prometheus-alertmanager python3-venv redis-server strace systemd",
            "bundles: apt binutils bubblewrap desktop-file-utils libfuse2 rpm squashfs-tools",
        ]
    );
}

#[test]
fn a_relative_of_ubuntu_is_one() {
    assert_eq!(said("linux", MINT, APT), said("linux", UBUNTU, APT));
}

#[test]
fn ubuntu_with_chrome_is_asked_for_nothing() {
    let here = [APT, &[Sign::Program("google-chrome")]].concat();
    let said = said("linux", UBUNTU, &here);
    assert!(
        said.iter().all(|line| !line.contains("install")),
        "{said:?}"
    );
}

#[test]
fn fedora() {
    assert_eq!(
        said("linux", FEDORA, &[Sign::Program("sudo")]),
        [
            "compiling: run `sudo dnf install gcc git make pkgconf-pkg-config`",
            "tests of processes: run `sudo dnf install avahi avahi-tools chromium coturn dbus-daemon e2fsprogs exfatprogs fuse-exfat gnome-keyring iproute libsecret microsocks nginx prometheus redis tcpdump tinyproxy util-linux`",
            "the window: run `sudo dnf install dbus-devel librsvg2-devel webkit2gtk4.1-devel`",
            "window tests: run `sudo dnf install ImageMagick chromium dbus-daemon dbus-x11 dunst openbox \
             webkitgtk6.0 wmctrl xdotool xfce4-panel xorg-x11-server-Xvfb xprop`",
            "benchmarks: run `sudo dnf install curl ethtool iperf3 nftables redis rsync syncthing`",
            "network lab: run `sudo dnf install coturn iproute miniupnpd nftables`",
            "deployment: run `sudo dnf install alertmanager bubblewrap caddy coturn curl iproute logrotate nginx openssl procps-ng prometheus python3 redis strace systemd`",
            "bundles: run `sudo dnf install binutils bubblewrap desktop-file-utils dpkg rpm-build squashfs-tools`",
        ]
    );
}

#[test]
fn what_is_here_is_not_asked_for() {
    let here = [
        Sign::Program("cc"),
        Sign::Program("make"),
        Sign::Program("git"),
        Sign::Program("pkg-config"),
        Sign::Program("secret-tool"),
        Sign::Library("webkit2gtk-4.1"),
        Sign::Browser,
        Sign::Program("rsync"),
    ];
    assert_eq!(
        said("linux", FEDORA, &here),
        [
            "compiling: everything is here",
            "tests of processes: run `dnf install avahi avahi-tools coturn dbus-daemon e2fsprogs exfatprogs fuse-exfat gnome-keyring iproute microsocks nginx prometheus redis tcpdump tinyproxy util-linux` as root",
            "the window: run `dnf install dbus-devel librsvg2-devel` as root",
            "window tests: run `dnf install ImageMagick dbus-daemon dbus-x11 dunst openbox webkitgtk6.0 \
             wmctrl xdotool xfce4-panel xorg-x11-server-Xvfb xprop` as root",
            "benchmarks: run `dnf install curl ethtool iperf3 nftables redis syncthing` as root",
            "network lab: run `dnf install coturn iproute miniupnpd nftables` as root",
            "deployment: run `dnf install alertmanager bubblewrap caddy coturn curl iproute logrotate nginx openssl procps-ng prometheus python3 redis strace systemd` as root",
            "bundles: run `dnf install binutils bubblewrap desktop-file-utils dpkg rpm-build squashfs-tools` as root",
        ]
    );
}

#[test]
fn arch() {
    assert_eq!(
        said("linux", ARCH, &[Sign::Program("sudo")]),
        [
            "compiling: run `sudo pacman -S --needed base-devel git`",
            "tests of processes: run `sudo pacman -S --needed avahi chromium coturn dbus e2fsprogs exfat-utils exfatprogs gnome-keyring iproute2 libsecret microsocks nginx prometheus tcpdump tinyproxy util-linux valkey`",
            "the window: run `sudo pacman -S --needed dbus librsvg webkit2gtk-4.1`",
            "window tests: run `sudo pacman -S --needed chromium dbus dunst imagemagick openbox \
             webkitgtk-6.0 wmctrl xdotool xfce4-panel xorg-server-xvfb xorg-xprop`",
            "benchmarks: run `sudo pacman -S --needed curl ethtool iperf3 nftables rsync syncthing valkey`",
            "network lab: run `sudo pacman -S --needed coturn iproute2 miniupnpd nftables`",
            "deployment: run `sudo pacman -S --needed alertmanager bubblewrap caddy coturn curl iproute2 logrotate nginx openssl procps-ng prometheus python strace systemd valkey`",
            "bundles: run `sudo pacman -S --needed binutils bubblewrap desktop-file-utils dpkg rpm-tools squashfs-tools`",
        ]
    );
}

#[test]
fn systems_that_nobody_knows_are_told_in_words() {
    assert_eq!(
        said("linux", ALPINE, &[Sign::Program("sudo")]),
        [
            "compiling: install a C compiler, make, pkg-config, git",
            "tests of processes: install D-Bus, gnome-keyring, secret-tool, ip, mount, nginx, tinyproxy, microsocks, mkfs.ext4, mkfs.exfat, exfat-fuse, avahi, avahi's tools, tcpdump, coturn, Chromium, Redis, Prometheus",
            "the window: install headers of WebKitGTK 4.1, headers of D-Bus, headers of librsvg",
            "window tests: install Xvfb, WebKitWebDriver, Chromium, D-Bus, ImageMagick, dunst, openbox, \
             wmctrl, xdotool, xprop, xfce4-panel",
            "benchmarks: install curl, ethtool, iperf3, nft, Redis, rsync, syncthing",
            "network lab: install ip, nft, coturn, miniupnpd",
            "deployment: install bubblewrap, Caddy, curl, ip, logrotate, nginx, openssl, pgrep, Alertmanager, Prometheus, Python, Redis, strace, systemd, coturn",
            "bundles: install objdump, desktop-file-validate, bubblewrap, dpkg-deb, mksquashfs, rpmbuild",
        ]
    );
    assert_eq!(said("linux", "", &[]), said("linux", ALPINE, &[]));
    assert_eq!(said("freebsd", "", &[]), said("linux", ALPINE, &[]));
}

#[test]
fn servers_made_from_fedora_have_other_packages() {
    assert_eq!(said("linux", ROCKY, &[]), said("linux", ALPINE, &[]));
}

#[test]
fn macos() {
    assert_eq!(
        said("macos", "", &[]),
        [
            "compiling: everything is here",
            "tests of processes: everything is here",
            "the window: everything is here",
            "window tests: install Google Chrome for the tests of the UI; the window itself is \
             tested on Linux only",
            "benchmarks: install rsync and syncthing, for example from Homebrew",
            "network lab: the lab of networks is made of Linux's namespaces; use Linux",
            "deployment: servers are deployed on Linux, and what reads their files is there; use Linux",
            "bundles: bundles are made on Linux so far; use Linux",
        ]
    );
}

#[test]
fn windows() {
    assert_eq!(
        said("windows", "", &[]),
        [
            "compiling: everything is here",
            "tests of processes: everything is here",
            "the window: install the WebView2 runtime if this is Windows 10 from before version \
             1803",
            "window tests: install Google Chrome for the tests of the UI; the window itself is \
             tested on Linux only",
            "benchmarks: install rsync and syncthing",
            "network lab: the lab of networks is made of Linux's namespaces; use Linux",
            "deployment: servers are deployed on Linux, and what reads their files is there; use Linux",
            "bundles: bundles are made on Linux so far; use Linux",
        ]
    );
}

#[test]
fn names_are_found_with_and_without_quotes() {
    assert_eq!(kin(DEBIAN), ["debian"]);
    assert_eq!(kin(MINT), ["linuxmint", "ubuntu", "debian"]);
    assert_eq!(kin("ID='arch'\nnonsense\nID_LIKE="), ["arch"]);
}

const APT: &[Sign] = &[Sign::Program("apt-get"), Sign::Program("dpkg-query")];

const DEBIAN: &str = r#"PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"
NAME="Debian GNU/Linux"
VERSION_ID="12"
ID=debian
"#;

const UBUNTU: &str = r#"NAME="Ubuntu"
VERSION_ID="24.04"
ID=ubuntu
ID_LIKE=debian
"#;

const MINT: &str = r#"NAME="Linux Mint"
ID=linuxmint
ID_LIKE="ubuntu debian"
"#;

const FEDORA: &str = r#"NAME="Fedora Linux"
ID=fedora
VERSION_ID=42
"#;

const ROCKY: &str = r#"NAME="Rocky Linux"
ID="rocky"
ID_LIKE="rhel centos fedora"
"#;

const ARCH: &str = r#"NAME="Arch Linux"
ID=arch
BUILD_ID=rolling
"#;

const ALPINE: &str = r#"NAME="Alpine Linux"
ID=alpine
VERSION_ID=3.20.3
"#;
