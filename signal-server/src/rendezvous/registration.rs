//! Who is there: proofs, guests, the same key twice, coming and going.

use std::collections::BTreeMap;
use std::time::Duration;

use ed25519_dalek::{Signature, VerifyingKey};
use rand_core::RngCore;
use towline_wire::ids::DeviceId;
use towline_wire::signal::{
    AccessToken, CloseCode, ErrorCode, GuestId, HostName, Nonce, PairingFailure, RegisterProof,
    Registration, RequestId, SIGNAL_VERSION, ServerMessage, SignalId, proof_message,
};

use super::mailboxes::Standing;
use super::{ConnectionId, Moment, Note, Origin, Phase, Rendezvous};

impl Rendezvous {
    pub(super) fn register(
        &mut self,
        now: Moment,
        connection: ConnectionId,
        id: Option<RequestId>,
        registration: Registration,
        token: Option<&AccessToken>,
    ) {
        let Some(known) = self.connections.get(&connection) else {
            return;
        };
        let Phase::ExpectRegister { nonce, .. } = &known.phase else {
            return;
        };
        let (nonce, origin) = (*nonce, known.origin);
        let proven = match registration {
            Registration::Guest { label: _ } => None,
            Registration::Device { device, proof } => {
                if let Err(why) = self.check_proof(origin, &nonce, device, &proof) {
                    self.note(Note::RegisterFailed, connection);
                    self.refuse(connection, id, ErrorCode::BadProof, why);
                    return self.close(now, connection, CloseCode::BadProof);
                }
                Some(device)
            }
        };
        // After the proof, so that nobody learns which keys are on a list.
        let Some(pass) = self.settings.access.admits(proven, token) else {
            self.note(Note::AccessDenied, connection);
            let why = self.settings.access.refusal();
            self.refuse(connection, id, ErrorCode::AccessDenied, why);
            return self.close(now, connection, CloseCode::AccessDenied);
        };
        let who = match proven {
            None => self.draw_guest(),
            Some(device) if self.take_over(now, connection, device) => SignalId::Device(device),
            Some(_) => return,
        };
        self.passes.keep(connection, pass);
        if let Some(known) = self.connections.get_mut(&connection) {
            known.phase = Phase::Present {
                id: who,
                watching: Box::default(),
            };
        }
        self.connection_by_id.insert(who, connection);
        self.note(Note::Registered { who }, connection);
        let ice = self.lend(now, connection, who);
        self.answer(
            connection,
            id,
            ServerMessage::Registered {
                device_id: who,
                ice,
            },
        );
        self.back_to_mailbox(now, connection, who);
    }

    /// Tells everyone with a right to know that an id is gone. A guest's mailbox goes with it; a
    /// device's stays, because a device can come back.
    pub(super) fn depart(&mut self, now: Moment, id: SignalId, watching: &[SignalId]) {
        self.connection_by_id.remove(&id);
        self.leave_all_rooms(now, id);
        let mut audience: Vec<SignalId> = watching
            .iter()
            .copied()
            .filter(|peer| self.watches(*peer, id))
            .collect();
        audience.extend(self.mailboxes.peer_of(id));
        audience.sort_unstable();
        audience.dedup();
        for peer in audience {
            self.tell(peer, ServerMessage::PeerDisconnected { peer_id: id });
        }
        match id {
            SignalId::Guest(_) => self.end_mailbox_of(now, id, PairingFailure::PeerLeft),
            SignalId::Device(_) => {}
        }
    }

    /// Says again how the mailbox of a device that came back stands, and gives it what was kept.
    fn back_to_mailbox(&mut self, now: Moment, connection: ConnectionId, who: SignalId) {
        let Some((slot, expires, standing)) = self.mailboxes.of(who) else {
            return;
        };
        match standing {
            Standing::Waiting => {
                let expires_in = expires.since(now).as_secs();
                let code = slot.clone();
                self.say(connection, ServerMessage::PairingCode { code, expires_in });
            }
            Standing::Joined { peer } => {
                self.say(connection, ServerMessage::Paired { peer_id: peer });
                self.tell(peer, ServerMessage::PeerConnected { peer_id: who });
            }
            Standing::Done { peer } => {
                self.tell(peer, ServerMessage::PeerConnected { peer_id: who })
            }
        }
        for notice in self.mailboxes.release(who) {
            self.send(connection, notice);
        }
    }

    /// The newest connection of a key wins; `false` when the key is paused and the newest lost too.
    fn take_over(&mut self, now: Moment, connection: ConnectionId, device: DeviceId) -> bool {
        if self.swaps.is_paused(now, device) {
            self.close(now, connection, CloseCode::Paused);
            return false;
        }
        let Some(older) = self
            .connection_by_id
            .get(&SignalId::Device(device))
            .copied()
        else {
            return true;
        };
        self.note(Note::DeviceReplaced { device }, connection);
        self.arm_sweep(now);
        if self.swaps.count(now, device) == Swap::Storm {
            self.close(now, older, CloseCode::Paused);
            self.close(now, connection, CloseCode::Paused);
            return false;
        }
        self.close(now, older, CloseCode::Replaced);
        true
    }

    fn draw_guest(&mut self) -> SignalId {
        loop {
            // 64 random bits: a second round does not happen.
            let guest = SignalId::Guest(GuestId(self.random.next_u64()));
            if !self.connection_by_id.contains_key(&guest) {
                return guest;
            }
        }
    }

    fn check_proof(
        &self,
        origin: Origin,
        nonce: &Nonce,
        device: DeviceId,
        proof: &RegisterProof,
    ) -> Result<(), &'static str> {
        if proof.version != SIGNAL_VERSION {
            return Err("the proof is of another protocol version");
        }
        if !self.goes_by(&proof.host, origin) {
            return Err(
                "this server does not go by the host name in the proof; name it with --host-name",
            );
        }
        let message = proof_message(proof.version, &proof.host, nonce, &device);
        let key = VerifyingKey::from_bytes(device.as_bytes())
            .map_err(|_| "the device id is no public key")?;
        key.verify_strict(&message, &Signature::from_bytes(&proof.signature))
            .map_err(|_| "the signature does not hold")
    }

    /// Whether a name that a client dialled is this server's own. Otherwise a server could pass a
    /// device's proof on to another server and appear there as that device.
    fn goes_by(&self, host: &HostName, origin: Origin) -> bool {
        if !self.settings.host_names.is_empty() {
            return self.settings.host_names.contains(host);
        }
        match host.address() {
            Some(address) => address == origin.local,
            None => host.as_str() == "localhost" && origin.local.is_loopback(),
        }
    }
}

/// How often keys moved between connections lately.
#[derive(Debug, Default)]
pub(crate) struct Swaps {
    by_device: BTreeMap<DeviceId, SwapCount>,
}

#[derive(Debug)]
struct SwapCount {
    since: Moment,
    swaps: u32,
    paused_until: Moment,
}

/// What one more swap means.
#[derive(Debug, PartialEq, Eq)]
enum Swap {
    Ordinary,
    Storm,
}

impl Swaps {
    pub(crate) fn len(&self) -> usize {
        self.by_device.len()
    }

    pub(crate) fn sweep(&mut self, now: Moment) {
        self.by_device
            .retain(|_, count| now < count.since.plus(SWAP_WINDOW).max(count.paused_until));
    }

    fn is_paused(&self, now: Moment, device: DeviceId) -> bool {
        self.by_device
            .get(&device)
            .is_some_and(|count| now < count.paused_until)
    }

    fn count(&mut self, now: Moment, device: DeviceId) -> Swap {
        if self.by_device.len() >= SWAPS_MAX && !self.by_device.contains_key(&device) {
            return Swap::Ordinary;
        }
        let count = self.by_device.entry(device).or_insert(SwapCount {
            since: now,
            swaps: 0,
            paused_until: now,
        });
        if now >= count.since.plus(SWAP_WINDOW) {
            count.since = now;
            count.swaps = 0;
        }
        count.swaps += 1;
        if count.swaps <= SWAPS_PER_WINDOW_MAX {
            return Swap::Ordinary;
        }
        count.paused_until = now.plus(SWAP_PAUSE);
        count.swaps = 0;
        Swap::Storm
    }
}

/// The window in which swaps are counted.
const SWAP_WINDOW: Duration = Duration::from_secs(60);

/// Swaps within the window that are still a person's bad network: 5. More are two installations
/// with one key, each throwing the other out.
const SWAPS_PER_WINDOW_MAX: u32 = 5;

/// How long both are kept out then: a minute.
const SWAP_PAUSE: Duration = Duration::from_secs(60);

/// Keys whose swaps are counted at once: 65,536; above that the storm brake fails open.
const SWAPS_MAX: usize = 1 << 16;
