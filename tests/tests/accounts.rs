//! Accounts end to end: the client's vault against a real service in this process.

#[path = "accounts/changing.rs"]
mod changing;
#[path = "accounts/getting_in.rs"]
mod getting_in;
#[path = "accounts/installing.rs"]
mod installing;
#[path = "accounts/liar.rs"]
mod liar;
#[path = "accounts/lies.rs"]
mod lies;
#[path = "accounts/races.rs"]
mod races;
#[path = "accounts/skipping.rs"]
mod skipping;
#[path = "accounts/vault_proxy.rs"]
mod vault_proxy;
