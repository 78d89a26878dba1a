//! `towline-signal healthcheck`: asks the server of the same settings on this machine whether it is well, for
//! images that have no other program in them.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// Asks the server that listens on this address.
///
/// # Errors
/// In a sentence, when nobody answers or the answer is not that all is well.
pub fn ask(listens_on: SocketAddr) -> Result<(), String> {
    let address = SocketAddr::new(reached_at(listens_on.ip()), listens_on.port());
    match status(address) {
        Ok(line) if line.split(' ').nth(1) == Some("200") => Ok(()),
        Ok(line) => Err(format!("the server at {address} says `{line}`")),
        Err(error) => Err(format!("no answer from {address}: {error}")),
    }
}

/// A server that listens on all addresses is reached on loopback.
const fn reached_at(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(v4) if v4.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(v6) if v6.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip @ (IpAddr::V4(_) | IpAddr::V6(_)) => ip,
    }
}

/// The first line of the answer.
fn status(address: SocketAddr) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(b"GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
    let mut answer = [0; ANSWER_BYTES];
    let mut length = 0;
    while let Some(room) = answer.get_mut(length..)
        && !room.is_empty()
    {
        match stream.read(room)? {
            0 => break,
            more => length += more,
        }
    }
    let text = String::from_utf8_lossy(answer.get(..length).unwrap_or_default()).into_owned();
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

/// How long each step may take: 3 s, below the timeouts that containers are given for it.
const PATIENCE: Duration = Duration::from_secs(3);

/// As much of the answer as is read: its first line has about 15 bytes.
const ANSWER_BYTES: usize = 64;
