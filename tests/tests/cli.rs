//! The command line through its own program, against a real `chatkeepd`: what is said, where, and with which exit code.

#[path = "cli/about.rs"]
mod about;
#[path = "cli/account.rs"]
mod account;
#[path = "cli/acts.rs"]
mod acts;
#[path = "cli/bucket.rs"]
mod bucket;
#[path = "cli/care.rs"]
mod care;
#[path = "cli/copied.rs"]
mod copied;
#[path = "cli/devices.rs"]
mod devices;
#[path = "cli/failures.rs"]
mod failures;
#[path = "cli/first.rs"]
mod first;
#[path = "cli/getting_in.rs"]
mod getting_in;
#[path = "cli/interrupts.rs"]
mod interrupts;
#[path = "cli/json.rs"]
mod json;
#[path = "cli/media_only.rs"]
mod media_only;
#[path = "cli/places.rs"]
mod places;
#[path = "cli/proxy.rs"]
mod proxy;
#[path = "cli/retention.rs"]
mod retention;
#[path = "cli/service.rs"]
mod service;
#[path = "cli/terminal.rs"]
mod terminal;
#[path = "cli/waiting.rs"]
mod waiting;
