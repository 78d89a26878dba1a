//! Hears from the system that interfaces or their addresses have changed.
//!
//! On Linux the kernel tells it on a netlink socket (rtnetlink(7)), so a change is known at once and a
//! network at rest costs nothing. What it tells is not parsed: whoever hears of a change looks for himself.

#[cfg(target_os = "linux")]
pub(super) use linux::Changes;
#[cfg(target_os = "linux")]
pub(in crate::network) use linux::Peek;
#[cfg(not(target_os = "linux"))]
pub(super) use silent::Changes;
#[cfg(not(target_os = "linux"))]
pub(in crate::network) use silent::Peek;

#[cfg(target_os = "linux")]
mod linux {
    use std::io;

    use std::os::fd::OwnedFd;

    use rustix::net::netlink::SocketAddrNetlink;
    use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, bind, recv, socket_with};
    use tokio::net::UdpSocket;

    /// The groups of links and of addresses: `RTMGRP_LINK`, `RTMGRP_IPV4_IFADDR` and `RTMGRP_IPV6_IFADDR` of
    /// linux/rtnetlink.h.
    const GROUPS: u32 = 0x1 | 0x10 | 0x100;

    /// A subscription to changes: a netlink socket, of which datagrams are received as of any other.
    #[derive(Debug)]
    pub(in super::super) struct Changes(UdpSocket);

    impl Changes {
        /// Subscribes.
        pub(in super::super) fn subscribe() -> io::Result<Self> {
            Ok(Self(UdpSocket::from_std(subscribed()?.into())?))
        }

        /// Waits for a change; several at a time count as one.
        pub(in super::super) async fn next(&self) -> io::Result<()> {
            let mut message = [0; 4096];
            if let Err(fault) = self.0.recv(&mut message).await {
                return is_overflow(&fault).then_some(()).ok_or(fault);
            }
            while self.0.try_recv(&mut message).is_ok() {}
            Ok(())
        }
    }

    /// A subscription of its own that is asked and never waits: the kernel puts a change there before anybody can
    /// use it.
    #[derive(Debug)]
    pub(in crate::network) struct Peek(OwnedFd);

    impl Peek {
        /// Subscribes; without it nothing is ever heard.
        pub(in crate::network) fn subscribe() -> Option<Self> {
            subscribed().ok().map(Self)
        }

        /// Whether something has changed since the last call.
        pub(in crate::network) fn has_come(&self) -> bool {
            let mut message = [0; 4096];
            let mut next = || recv(&self.0, &mut message, RecvFlags::DONTWAIT);
            match next() {
                Ok(_) => {
                    while next().is_ok() {}
                    true
                }
                Err(fault) => fault == rustix::io::Errno::NOBUFS,
            }
        }
    }

    fn subscribed() -> io::Result<OwnedFd> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None)?;
        bind(&socket, &SocketAddrNetlink::new(0, GROUPS))?;
        Ok(socket)
    }

    /// More than the socket could hold is news, too.
    fn is_overflow(fault: &io::Error) -> bool {
        fault.raw_os_error() == Some(rustix::io::Errno::NOBUFS.raw_os_error())
    }
}

#[cfg(not(target_os = "linux"))]
mod silent {
    use std::io;

    /// There is no subscription here.
    #[derive(Debug)]
    pub(in super::super) enum Changes {}

    impl Changes {
        /// Refuses.
        pub(in super::super) fn subscribe() -> io::Result<Self> {
            Err(io::ErrorKind::Unsupported.into())
        }

        /// Never waits, for nobody has one.
        pub(in super::super) async fn next(&self) -> io::Result<()> {
            match *self {}
        }
    }

    /// Nor a look.
    #[derive(Debug)]
    pub(in crate::network) enum Peek {}

    impl Peek {
        /// Refuses.
        pub(in crate::network) fn subscribe() -> Option<Self> {
            None
        }

        /// Never asked, for nobody has one.
        pub(in crate::network) fn has_come(&self) -> bool {
            match *self {}
        }
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::fs::File;
    use std::os::fd::AsFd;
    use std::process::{self, Command};
    use std::thread;
    use std::time::Duration;

    use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

    use super::*;

    fn ip(words: &[&str]) {
        let status = Command::new("ip").args(words).status().unwrap();
        assert!(status.success(), "ip {words:?}");
    }

    #[test]
    fn an_interface_that_comes_up_is_heard_of() {
        let name = format!("towline-changes-{}", process::id());
        ip(&["netns", "add", &name]);
        let place = File::open(format!("/run/netns/{name}")).unwrap();
        let heard = thread::spawn(move || {
            move_into_link_name_space(place.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let changes = Changes::subscribe().unwrap();
                ip(&["link", "set", "lo", "up"]);
                tokio::time::timeout(Duration::from_secs(30), changes.next()).await
            })
        })
        .join();
        ip(&["netns", "del", &name]);
        assert!(heard.unwrap().unwrap().is_ok());
    }
}
