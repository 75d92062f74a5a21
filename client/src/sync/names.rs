//! What devices are called: as they joined, or as somebody has renamed them. A name is a setting of the account, so
//! that renaming needs no secret and reaches every device.

use super::setting::{in_force, set};
use crate::archive::Archive;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::ids::DeviceId;
use crate::vault::{DeviceInfo, Vault};

const PREFIX: &str = "device/";
/// As long as the names that devices join with.
const NAME_BYTES_MAX: usize = 64;

impl Vault {
    /// The account's devices as [`devices`](Self::devices) has them, under the names they have now.
    pub fn devices_named(&self, archive: &Archive) -> Result<Vec<DeviceInfo>> {
        let names = in_force(archive, PREFIX)?;
        let mut devices = self.devices();
        for device in &mut devices {
            if let Some(setting) = names.get(&device.id.hex()).filter(|setting| is_name(&setting.value)) {
                setting.value.clone_into(&mut device.name);
            }
        }
        Ok(devices)
    }
}

/// Gives a device another name; false where it has that name already.
pub fn rename(archive: &mut Archive, env: &Env, vault: &Vault, device: &DeviceId, name: &str) -> Result<bool> {
    if !is_name(name) {
        return Err(Error::Refused(format!("a device's name has 1 to {NAME_BYTES_MAX} bytes and is one line")));
    }
    let devices = vault.devices_named(archive)?;
    let known = devices.iter().find(|d| d.id == *device);
    let known = known.ok_or_else(|| Error::NotFound(format!("{} is no device of this account", device.short())))?;
    if known.name == name {
        return Ok(false);
    }
    if devices.iter().any(|d| d.id != *device && d.name == name) {
        return Err(Error::Refused("another device of this account is called so".to_owned()));
    }
    let setting = format!("{PREFIX}{}", device.hex());
    let since = in_force(archive, PREFIX)?.get(&device.hex()).map(|setting| setting.since);
    set(archive, env, &[(setting, name.to_owned(), since)])?;
    Ok(true)
}

/// Names come from other devices and other versions too.
fn is_name(name: &str) -> bool {
    !name.trim().is_empty() && name.len() <= NAME_BYTES_MAX && !name.chars().any(char::is_control)
}
