//! The service as the client sees it: one method per call, typed refusals, nothing decided.

mod calls;
mod connect;
mod proxy;
mod refusal;

pub use calls::{OrError, Refused, Remote, Token};
pub use connect::{Connector, Network, ServerAddress};
pub use proxy::Proxy;
