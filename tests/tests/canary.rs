//! Random markers in everything a person would not want read, searched for wherever bytes come to lie.

#[path = "canary/everywhere.rs"]
mod everywhere;
#[path = "canary/proxy.rs"]
mod proxy;
#[path = "canary/searcher.rs"]
mod searcher;
