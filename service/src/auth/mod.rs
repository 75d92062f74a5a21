//! Getting in: OPAQUE, tokens, the secrets they need, and what a call may do.

pub mod opaque;
pub mod secrets;
pub mod token;
