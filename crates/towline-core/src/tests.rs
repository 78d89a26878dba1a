//! Tests of the machines: data in, data out.

mod link;
mod pairing;
mod session;
mod folder;
mod plan;
