//! What a device or a recovery key signs to get in, and OPAQUE's context (`docs/format.md` §8).

use super::bytes::Writer;
use super::context::{BadSignature, PREFIX, purpose, verify};
use super::ids::{AccountId, DeviceId};
use super::slot::{AccountName, Argon2Cost};

/// The message of a device's sign-in, to be signed under [`purpose::SIGN_IN`].
pub fn device_message(server_name: &str, account: &AccountId, device: &DeviceId, nonce: &[u8; 32]) -> Vec<u8> {
    Writer::new().prefixed(server_name.as_bytes()).raw(&account.0).raw(&device.0).raw(nonce).finish()
}

/// The message of a recovery key's sign-in, to be signed under [`purpose::RECOVERY_SIGN_IN`].
pub fn recovery_message(server_name: &str, name: &AccountName, nonce: &[u8; 32]) -> Vec<u8> {
    Writer::new().prefixed(server_name.as_bytes()).prefixed(name.as_str().as_bytes()).raw(nonce).finish()
}

pub fn verify_device(key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> Result<(), BadSignature> {
    verify(key, purpose::SIGN_IN, &[message], signature)
}

pub fn verify_recovery(key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> Result<(), BadSignature> {
    verify(key, purpose::RECOVERY_SIGN_IN, &[message], signature)
}

/// OPAQUE's context: binds the server's name and Argon2id's cost into the key exchange.
pub fn opaque_context(server_name: &str, cost: &Argon2Cost) -> Vec<u8> {
    let mut w = Writer::new();
    w.raw(PREFIX.as_bytes()).raw(b"opaque").u8(0).prefixed(server_name.as_bytes()).raw(&cost.encode());
    w.finish()
}
