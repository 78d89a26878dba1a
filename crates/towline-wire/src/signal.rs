//! Reserved.

/// Placeholder.
#[derive(Debug, Clone, PartialEq)]
pub struct ClientMessage;
/// Placeholder.
#[derive(Debug, Clone, PartialEq)]
pub struct ServerMessage;
