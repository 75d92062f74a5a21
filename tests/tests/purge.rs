//! What its owner deleted leaves the vault; what a thief deletes does not; what is trimmed is missed by nobody.

#[path = "purge/away.rs"]
mod away;
#[path = "purge/broken_off.rs"]
mod broken_off;
#[path = "purge/dedup.rs"]
mod dedup;
#[path = "purge/everything.rs"]
mod everything;
#[path = "purge/gathered.rs"]
mod gathered;
#[path = "purge/gone.rs"]
mod gone;
#[path = "purge/held.rs"]
mod held;
#[path = "purge/media_only.rs"]
mod media_only;
#[path = "purge/robbed.rs"]
mod robbed;
#[path = "purge/thief.rs"]
mod thief;
