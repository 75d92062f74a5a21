//! What may know what, read from the workspace itself.
//!
//! These tests can see: a cipher, password KDF or the client linked into the service (DESIGN P1), a runtime or key in
//! the protocol, an import against the layers, a house rule broken in the text of a file. What they cannot: a secret
//! that reaches the service as bytes; the suites that search what the service stores are there for that.

#[path = "boundaries/documents.rs"]
mod documents;
#[path = "boundaries/layers.rs"]
mod layers;
#[path = "boundaries/packages.rs"]
mod packages;
#[path = "boundaries/send.rs"]
mod send;
#[path = "boundaries/sources.rs"]
mod sources;
#[path = "boundaries/tidy.rs"]
mod tidy;
