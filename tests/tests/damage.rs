//! Damage of everything a service stores: every byte flipped, every kind of object removed, cut, swapped and spoiled.
//! Nothing wrong is ever shown, what is named is what is damaged, and a device that has the rows makes it whole.

#[path = "damage/bytes.rs"]
mod bytes;
#[path = "damage/things.rs"]
mod things;
#[path = "damage/vault.rs"]
mod vault;
