//! Giving an epoch key to a device: HPKE base mode over X-Wing (`docs/format.md` §4.4, RFC 9180).

use hpke::{
    Deserializable, Kem, OpModeR, OpModeS, Serializable, aead::ChaCha20Poly1305, kdf::HkdfSha256, kem::XWing,
    single_shot_open, single_shot_seal_with_rng,
};
use proto::wire::context::{PREFIX, h, purpose};
use proto::wire::roster::{ENCAPSULATED_BYTES, WRAPPED_BYTES};
use zeroize::Zeroizing;

use super::entropy::{AsRng, Entropy};
use super::secret::Secret;
use super::{DeviceKeys, DevicePublic, EpochKey, Refused};
use crate::ids::AccountId;

/// An epoch key as one device can open it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wrap {
    pub encapsulated: Box<[u8; ENCAPSULATED_BYTES]>,
    pub wrapped: [u8; WRAPPED_BYTES],
}

/// Which roster of which account a wrap belongs to. In another roster it does not open.
#[derive(Clone, Copy)]
pub(super) struct WrapPlace<'a> {
    pub account: &'a AccountId,
    pub roster_version: u64,
    pub epoch: u32,
}

/// Wraps `key` to a device. Its public key may come from outside: one that is none is refused.
pub(super) fn wrap_epoch(
    device: &DevicePublic,
    place: WrapPlace<'_>,
    key: &EpochKey,
    entropy: &mut dyn Entropy,
) -> Result<Wrap, Refused> {
    let public = <XWing as Kem>::PublicKey::from_bytes(&device.kem_key[..]).map_err(|_| Refused)?;
    let (encapsulated, wrapped) = single_shot_seal_with_rng::<ChaCha20Poly1305, HkdfSha256, XWing>(
        &OpModeS::Base,
        &public,
        &place.info(device),
        key.0.bytes(),
        &[],
        &mut AsRng(entropy),
    )
    .map_err(|_| Refused)?;
    Ok(Wrap {
        encapsulated: Box::new(encapsulated.to_bytes().as_slice().try_into().map_err(|_| Refused)?),
        wrapped: wrapped.try_into().map_err(|_| Refused)?,
    })
}

/// Opens what was wrapped to this device.
pub(super) fn open_epoch(
    device: &DeviceKeys,
    place: WrapPlace<'_>,
    encapsulated: &[u8; ENCAPSULATED_BYTES],
    wrapped: &[u8; WRAPPED_BYTES],
) -> Result<EpochKey, Refused> {
    let encapsulated = <XWing as Kem>::EncappedKey::from_bytes(encapsulated).map_err(|_| Refused)?;
    let key = single_shot_open::<ChaCha20Poly1305, HkdfSha256, XWing>(
        &OpModeR::Base,
        &device.kem_key(),
        &encapsulated,
        &place.info(device.public()),
        wrapped,
        &[],
    )
    .map(Zeroizing::new)
    .map_err(|_| Refused)?;
    Ok(EpochKey(Secret::copied(key.as_slice().try_into().map_err(|_| Refused)?)))
}

impl WrapPlace<'_> {
    fn info(&self, device: &DevicePublic) -> Vec<u8> {
        let mut out = format!("{PREFIX}epoch wrap\0").into_bytes();
        out.extend_from_slice(&self.account.0);
        out.extend_from_slice(&self.roster_version.to_le_bytes());
        out.extend_from_slice(&self.epoch.to_le_bytes());
        out.extend_from_slice(&device.id().0);
        out.extend_from_slice(&h(purpose::KEM_KEY, &[&device.kem_key[..]]));
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::entropy::fixed::Fixed;

    #[test]
    fn only_the_device_it_was_made_for_opens_a_wrap_and_only_in_its_roster() {
        let mut entropy = Fixed::new("wrap");
        let (phone, laptop) = (DeviceKeys::generate(&mut entropy), DeviceKeys::generate(&mut entropy));
        let key = EpochKey::generate(&mut entropy);
        let (account, stranger) = (AccountId([1; 32]), AccountId([2; 32]));
        let place = WrapPlace { account: &account, roster_version: 4, epoch: 2 };
        let wrap = wrap_epoch(phone.public(), place, &key, &mut entropy).unwrap();

        let open = |device: &DeviceKeys, place: WrapPlace<'_>| {
            open_epoch(device, place, &wrap.encapsulated, &wrap.wrapped).map(|k| k.0.same(&key.0))
        };
        assert_eq!(open(&phone, place), Ok(true));
        assert_eq!(open(&laptop, place), Err(Refused));
        assert_eq!(open(&phone, WrapPlace { roster_version: 5, ..place }), Err(Refused));
        assert_eq!(open(&phone, WrapPlace { epoch: 3, ..place }), Err(Refused));
        assert_eq!(open(&phone, WrapPlace { account: &stranger, ..place }), Err(Refused));
        for at in 0..WRAPPED_BYTES {
            let mut changed = wrap.wrapped;
            changed[at] ^= 1;
            assert!(open_epoch(&phone, place, &wrap.encapsulated, &changed).is_err());
        }
    }

    #[test]
    fn bytes_that_are_no_kem_key_are_refused() {
        let mut entropy = Fixed::new("wrap");
        let key = EpochKey::generate(&mut entropy);
        let nonsense = DevicePublic { verifying_key: [0; 32], kem_key: Box::new([0xff; 1216]) };
        let place = WrapPlace { account: &AccountId([1; 32]), roster_version: 1, epoch: 0 };
        assert!(wrap_epoch(&nonsense, place, &key, &mut entropy).is_err());
    }
}
