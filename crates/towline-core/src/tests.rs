//! Tests of the machines: data in, data out.
