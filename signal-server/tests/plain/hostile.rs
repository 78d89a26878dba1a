//! Clients that mean harm, against the binary: it stays up, its memory stays bounded, others are served meanwhile, and
//! who did it is told and cut where the protocol has words for it.

mod door;
mod exhaustion;
mod floods;
mod frames;
mod guessing;
mod impersonation;
mod raw;
mod relay;
mod tls;
mod witness;
