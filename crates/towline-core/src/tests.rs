//! Tests of the machines: data in, data out.

mod absence;
mod attributes;
mod brake;
mod device;
pub(crate) mod folder;
mod held;
mod link;
mod modes;
mod moves;
mod newcomer;
mod pairing;
mod plan;
mod quarantine;
mod reflexive;
mod rollback;
mod rules;
mod session;
mod sessions;
mod twin;
