//! Tests of the machines: data in, data out.

mod device;
mod folder;
mod link;
mod modes;
mod newcomer;
mod pairing;
mod plan;
mod rollback;
mod session;
