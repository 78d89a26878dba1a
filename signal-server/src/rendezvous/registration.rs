//! Who is there: proofs, guests, the same key twice, coming and going.

use std::collections::BTreeMap;
use std::time::Duration;

use ed25519_dalek::{Signature, VerifyingKey};
use rand_core::RngCore;
use towline_wire::ids::DeviceId;
use towline_wire::signal::{
    AccessToken, CloseCode, ErrorCode, GuestId, HostName, Nonce, Notice, PairingFailure,
    RegisterProof, Registration, RequestId, SIGNAL_VERSION, ServerMessage, SignalId, proof_message,
};

use super::budget::{Budget, Rate};
use super::cluster::Then;
use super::pairing::Seat;
use super::shared::{Ask, Event, MailboxView, Standing};
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
        if self.out_of_reach_for(now) > self.settings.register_grace {
            // Where it came from it will be sought in vain, and another instance may serve it.
            return self.refuse_cut_off(connection, id);
        }
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
        self.devices_len += usize::from(who.device().is_some());
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
        let place = self.place(connection);
        let then = Then::Welcome { connection, who };
        self.ask(now, Ask::Arrive { id: who, place }, then);
    }

    /// Tells everyone with a right to know that an id is gone. A guest's mailbox goes with it; a
    /// device's stays, because a device can come back.
    pub(super) fn depart(
        &mut self,
        now: Moment,
        connection: ConnectionId,
        id: SignalId,
        watching: &[SignalId],
    ) {
        self.connection_by_id.remove(&id);
        self.devices_len -= usize::from(id.device().is_some());
        let place = self.place(connection);
        self.leave_acquaintances(connection, id);
        self.leave_all_rooms(now, id);
        self.ask(now, Ask::Depart { id, place }, Then::TellBereft);
        let mut audience: Vec<SignalId> = watching
            .iter()
            .copied()
            .filter(|peer| self.watches(*peer, id))
            .collect();
        match self.seats.get(&id).and_then(Seat::peer) {
            Some(peer) if self.is_here(peer) => audience.push(peer),
            Some(peer) => self.happen_to(now, peer, Event::MemberLeft { peer: id }),
            None => {}
        }
        audience.sort_unstable();
        audience.dedup();
        for peer in audience {
            self.tell(peer, ServerMessage::PeerDisconnected { peer_id: id });
        }
        match id {
            SignalId::Guest(_) if self.seats.contains_key(&id) => {
                self.end_mailbox_of(now, id, PairingFailure::PeerLeft);
            }
            SignalId::Guest(_) | SignalId::Device(_) => {}
        }
    }

    /// Says again how the mailbox of a device that came back stands, and gives it what was kept.
    pub(super) fn back_to_mailbox(
        &mut self,
        now: Moment,
        connection: ConnectionId,
        who: SignalId,
        mailbox: Option<MailboxView>,
        held: Vec<Notice>,
    ) {
        let Some(view) = mailbox else {
            self.rise(who);
            return;
        };
        self.sit(now, who, view.side, view.left, view.standing);
        match view.standing {
            Standing::Waiting => {
                let (code, expires_in) = (view.slot, view.left.as_secs());
                self.say(connection, ServerMessage::PairingCode { code, expires_in });
            }
            Standing::Joined { peer } => {
                self.say(connection, ServerMessage::Paired { peer_id: peer });
                self.happen_to(now, peer, Event::MemberCame { peer: who });
            }
            Standing::Done { peer } => {
                self.happen_to(now, peer, Event::MemberCame { peer: who });
            }
        }
        for notice in held {
            self.send(connection, notice);
        }
    }

    /// The key has arrived at another instance since.
    pub(super) fn replaced(&mut self, now: Moment, connection: ConnectionId, who: SignalId) {
        let Some(device) = who.device() else { return };
        self.swapped(now, connection, device);
    }

    /// The newest connection of a key wins; `false` when the key changes places too fast, so that who comes has to
    /// wait, and who is there stays.
    fn take_over(&mut self, now: Moment, connection: ConnectionId, device: DeviceId) -> bool {
        if !self.swaps.may_swap(now, device) {
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
        self.swapped(now, older, device);
        true
    }

    /// A key is at another connection from now on.
    fn swapped(&mut self, now: Moment, older: ConnectionId, device: DeviceId) {
        self.note(Note::DeviceReplaced { device }, older);
        self.arm_sweep(now);
        self.swaps.count(now, device);
        self.close(now, older, CloseCode::Replaced);
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
    by_device: BTreeMap<DeviceId, Budget>,
}

impl Swaps {
    pub(crate) fn len(&self) -> usize {
        self.by_device.len()
    }

    pub(crate) fn sweep(&mut self, now: Moment) {
        self.by_device.retain(|_, budget| !budget.is_full(now));
    }

    fn may_swap(&self, now: Moment, device: DeviceId) -> bool {
        let budget = self.by_device.get(&device).copied();
        budget.unwrap_or_default().take(now, SWAP_RATE, 1).is_ok()
    }

    fn count(&mut self, now: Moment, device: DeviceId) {
        if self.by_device.len() >= SWAPS_MAX && !self.by_device.contains_key(&device) {
            return;
        }
        let budget = self.by_device.entry(device).or_default();
        budget.spend(now, SWAP_RATE, 1);
    }
}

/// How often a key may move: ten times at once, and once in 2 s. A device whose network comes and goes doubts its server
/// for as long before it comes anew, so it may do so all day; and one that does it at once, because its address
/// is gone, is let in within 2 s. Two installations with one key that throw each other out do so at every round trip.
const SWAP_RATE: Rate = Rate {
    burst: 10,
    refill: Duration::from_secs(2),
};

/// Keys whose swaps are counted at once: 65,536; above that the storm brake fails open.
const SWAPS_MAX: usize = 1 << 16;
