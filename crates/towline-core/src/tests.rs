//! Tests of the machines: data in, data out.

mod folder;
mod plan;
