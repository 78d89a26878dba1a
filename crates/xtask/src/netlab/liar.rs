//! A STUN server that lies: whoever asks where it is seen is told somebody else's address (RFC 8489).

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::thread;

use anyhow::{Result, bail};
use clap::Args;

use crate::report::say;

/// Where it listens, and what it says.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub(crate) struct Liar {
    /// A UDP address; repeat for several.
    #[arg(long, required = true)]
    bind: Vec<SocketAddr>,
    /// What is said of everybody, one after the other.
    #[arg(long, required = true)]
    says: Vec<SocketAddrV4>,
}

/// What is said when it listens.
pub(super) const READY: &str = "the liar listens";

/// Answers until it is ended.
pub(crate) fn lie(liar: &Liar) -> Result<()> {
    let sockets: Vec<UdpSocket> = (liar.bind.iter())
        .map(UdpSocket::bind)
        .collect::<std::io::Result<_>>()?;
    say(READY);
    let answers: Vec<_> = (sockets.into_iter())
        .map(|socket| {
            let says = liar.says.clone();
            thread::spawn(move || answer_all(&socket, &says))
        })
        .collect();
    for each in answers {
        match each.join() {
            Ok(ended) => ended?,
            Err(_) => bail!("the liar panicked"),
        }
    }
    Ok(())
}

fn answer_all(socket: &UdpSocket, says: &[SocketAddrV4]) -> std::io::Result<()> {
    let mut question = [0; 1500];
    for says in says.iter().cycle() {
        let (length, from) = socket.recv_from(&mut question)?;
        if let Some(answer) = answer(&question[..length], *says) {
            socket.send_to(&answer, from)?;
        }
    }
    Ok(())
}

/// A binding success with one XOR-MAPPED-ADDRESS.
fn answer(question: &[u8], says: SocketAddrV4) -> Option<Vec<u8>> {
    let (head, _) = question.split_first_chunk::<20>()?;
    if head[..2] != BINDING_REQUEST || head[4..8] != COOKIE {
        return None;
    }
    let mut answer = BINDING_SUCCESS.to_vec();
    answer.extend([0, 12]);
    answer.extend(&head[4..20]);
    answer.extend([0, 0x20, 0, 8, 0, 1]);
    let port = says.port().to_be_bytes();
    let ip = says.ip().octets();
    answer.extend(port.iter().zip(COOKIE).map(|(byte, with)| byte ^ with));
    answer.extend(ip.iter().zip(COOKIE).map(|(byte, with)| byte ^ with));
    Some(answer)
}

const BINDING_REQUEST: [u8; 2] = [0, 1];
const BINDING_SUCCESS: [u8; 2] = [1, 1];
const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];

/// Somebody who has no part in it, on the public network.
pub(super) const VICTIM: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 99);

/// Who lies about what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lie {
    /// The signal server names the third party as its STUN servers.
    ThirdPartyServes,
    /// The STUN servers say that everybody is the third party.
    EverybodyIsThirdParty,
    /// They say that everybody is everywhere, or in the asker itself.
    EverybodyIsEverywhere,
}

impl Lie {
    /// What the STUN servers say; nothing where there are none.
    pub(super) fn says(self) -> Vec<SocketAddrV4> {
        match self {
            Self::ThirdPartyServes => Vec::new(),
            Self::EverybodyIsThirdParty => vec![SocketAddrV4::new(VICTIM, 40_000)],
            Self::EverybodyIsEverywhere => NOBODY
                .map(|ip| SocketAddrV4::new(Ipv4Addr::from(ip), 40_000))
                .to_vec(),
        }
    }
}

/// Addresses that are nobody's: of this computer, of a group, of everybody.
const NOBODY: [[u8; 4]; 6] = [
    [127, 0, 0, 1],
    [224, 0, 0, 251],
    [255, 255, 255, 255],
    [192, 168, 1, 255],
    [192, 168, 2, 255],
    [0, 0, 0, 0],
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_says_the_address_and_rubbish_gets_none() {
        let mut question = vec![0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42];
        question.extend([7; 12]);
        let says = SocketAddrV4::new(Ipv4Addr::new(0x21, 0x12, 0xa4, 0x43), 0x2113);
        let answer = answer(&question, says).unwrap();
        assert_eq!(answer[8..20], [7; 12]);
        assert_eq!(answer[24..], [0, 1, 0, 1, 0, 0, 0, 1]);
        assert_eq!(super::answer(&question[..19], says), None);
        question[4] = 0;
        assert_eq!(super::answer(&question, says), None);
    }
}
