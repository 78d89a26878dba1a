//! Short-lived credentials for TURN servers, as the REST scheme has them that coturn understands
//! (draft-uberti-behave-turn-rest): a name that says until when it holds, and a password that both servers can
//! compute from one secret.
//!
//! Only proven devices get some, and guests in the room of a device that is there. The name says nothing of the
//! device but whether two credentials are for the same one in the same network, so that the TURN server can bound
//! what each uses there. Elsewhere it has another name: TURN shows names in clear, and a device that moves is not to
//! be known again by one.

use std::time::Duration;

use data_encoding::{BASE64, HEXLOWER};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::Sha256;
use towline_wire::ice::{IceServers, TurnSecret, TurnServer, TurnTransport};
use towline_wire::ids::DeviceId;
use towline_wire::place::Place;
use towline_wire::signal::{ServerMessage, SignalId};
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::{ConnectionId, Moment, Network, Phase, Rendezvous, Timer};

/// The TURN servers that devices may use.
#[derive(Debug, Clone)]
pub struct Lending {
    /// Where they are.
    pub servers: Vec<(Place, TurnTransport)>,
    /// What they share with this server.
    pub secret: LendingSecret,
    /// How long a credential holds.
    pub life: Duration,
}

/// The secret that coturn knows as `static-auth-secret`. Zeroised on drop, redacted in `Debug`.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct LendingSecret(String);

impl LendingSecret {
    /// Shortest secret, in bytes. Who has one credential can try secrets against it offline.
    pub const BYTES_MIN: usize = 16;

    /// Reads one.
    pub fn parse(text: &str) -> Option<Self> {
        (text.len() >= Self::BYTES_MIN).then(|| Self(text.to_owned()))
    }
}

impl std::fmt::Debug for LendingSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LendingSecret(..)")
    }
}

/// What the wall clock said at some moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WallClock {
    pub(crate) at: Moment,
    pub(crate) unix_seconds: u64,
}

impl Lending {
    /// What a device, or somebody whom it answers for, may use from now on in a network.
    fn credentials(&self, unix_seconds: u64, device: DeviceId, network: Network) -> IceServers {
        let place = network.quota_key();
        let user = [USER_LABEL, device.as_bytes(), place.as_bytes()].concat();
        let user = mac::<Hmac<Sha256>>(&self.secret, &user);
        let user = HEXLOWER.encode(user.get(..8).unwrap_or_default());
        let until = unix_seconds.saturating_add(self.life.as_secs());
        let username = format!("{until}:{user}");
        let credential = BASE64.encode(&mac::<Hmac<Sha1>>(&self.secret, username.as_bytes()));
        let turn = self.servers.iter().map(|(place, transport)| TurnServer {
            place: place.clone(),
            transport: *transport,
            username: TurnSecret::from(username.clone()),
            credential: TurnSecret::from(credential.clone()),
        });
        IceServers {
            stun: Vec::new(),
            turn: turn.collect(),
        }
    }
}

impl Rendezvous {
    /// What this client may use, and until when it is to be told anew.
    pub(super) fn lend(
        &mut self,
        now: Moment,
        connection: ConnectionId,
        who: SignalId,
    ) -> IceServers {
        let device = who.device();
        let ice = device.map(|device| self.credentials_of(now, device, connection));
        let ice = ice.unwrap_or_default();
        if !ice.turn.is_empty()
            && let Some(lending) = &self.settings.lending
            && let Some(known) = self.connections.get_mut(&connection)
        {
            let due = now.plus(lending.life / 2);
            known.lent_anew = Some(due);
            if due < known.timer {
                let timer = Timer::Connection(connection);
                self.timers.remove(&(known.timer, timer.clone()));
                known.timer = due;
                self.timers.insert((due, timer));
            }
        }
        ice
    }

    /// What a guest may use in the room of a device that is there; a device was told at its registration.
    pub(super) fn lend_in_room(
        &self,
        now: Moment,
        owner: SignalId,
        connection: ConnectionId,
        guest: SignalId,
    ) -> IceServers {
        match (owner.device(), guest) {
            (Some(device), SignalId::Guest(_)) if self.connection_by_id.contains_key(&owner) => {
                self.credentials_of(now, device, connection)
            }
            (_, SignalId::Guest(_) | SignalId::Device(_)) => IceServers::default(),
        }
    }

    /// Tells a device of new credentials when half the time of those before is over.
    pub(super) fn lend_anew(&mut self, now: Moment, connection: ConnectionId) {
        let Some(known) = self.connections.get(&connection) else {
            return;
        };
        let is_due = known.lent_anew.is_some_and(|due| due <= now);
        if let (Phase::Present { id, .. }, true) = (&known.phase, is_due) {
            let who = *id;
            let ice = self.lend(now, connection, who);
            self.say(connection, ServerMessage::IceServers { ice });
        }
    }

    /// On the account of a device, where the client of a connection is.
    fn credentials_of(
        &self,
        now: Moment,
        device: DeviceId,
        connection: ConnectionId,
    ) -> IceServers {
        let (Some(lending), Some(wall), Some(known)) = (
            &self.settings.lending,
            self.wall,
            self.connections.get(&connection),
        ) else {
            return IceServers::default();
        };
        let network = known.origin.household();
        let unix_seconds = wall.unix_seconds + now.since(wall.at).as_secs();
        lending.credentials(unix_seconds, device, network)
    }
}

fn mac<M: Mac + KeyInit>(secret: &LendingSecret, message: &[u8]) -> Vec<u8> {
    let keyed = <M as KeyInit>::new_from_slice(secret.0.as_bytes());
    // HMAC takes keys of any length; without one there would be a password that opens nothing.
    keyed.map_or_else(
        |_| Vec::new(),
        |mut mac| {
            mac.update(message);
            mac.finalize().into_bytes().to_vec()
        },
    )
}

/// Keeps what is made of a device's key apart from passwords.
const USER_LABEL: &[u8] = b"towline turn user\0";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_is_what_coturn_computes() {
        let lending = Lending {
            servers: vec![("turn.example:3478".parse().unwrap(), TurnTransport::Udp)],
            secret: LendingSecret::parse("north-north-north").unwrap(),
            life: Duration::from_secs(600),
        };
        let lent = |device: u8, network| {
            let device = DeviceId::from_public_key([device; 32]);
            lending.credentials(1_700_000_000, device, network)
        };
        let ice = lent(7, Network::V4(0x0a00_0001));
        let [server] = &ice.turn[..] else {
            panic!("one server")
        };
        let (username, credential) = (server.username.reveal(), server.credential.reveal());
        assert!(username.starts_with("1700000600:"), "{username}");
        // printf %s "$username" | openssl dgst -sha1 -hmac north-north-north -binary | base64
        assert_eq!(
            (username, credential),
            (
                "1700000600:ffd3399a614e8fb0",
                "rvco+OpfvwLpZUVVclqrfHpV92A="
            )
        );
        for other in [
            lent(8, Network::V4(0x0a00_0001)),
            lent(7, Network::V4(0x0a00_0002)),
        ] {
            assert_ne!(other.turn[0].username, server.username);
        }
        assert!(!format!("{lending:?}{ice:?}").contains("north"));
    }
}
