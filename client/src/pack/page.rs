//! Catalogue pages: one padded plaintext, sealed as one piece, that is the whole pack (`docs/format.md` §5.4).

use proto::wire::ladder::Class;

use super::reference::Fresh;
use super::{Damaged, PackError, PackRef, SealedPack};
use crate::crypto::Wiped;
use crate::crypto::{Entropy, PADDING_PREFIX_BYTES, SEAL_BYTES, pad, unpad};
use crate::ids::AccountId;

/// A catalogue page's content.
pub const CATALOGUE_PAGE_BYTES_MAX: usize = 64 << 10;

pub fn seal_page(account: &AccountId, content: &[u8], entropy: &mut dyn Entropy) -> Result<SealedPack, PackError> {
    if content.len() > CATALOGUE_PAGE_BYTES_MAX {
        return Err(PackError::TooLong);
    }
    let length = content.len() + PADDING_PREFIX_BYTES + SEAL_BYTES;
    let class = Class::fitting(length, Class::PAGE).ok_or(PackError::TooLong)?;
    let padded = pad(content, class.bytes() - SEAL_BYTES).ok_or(PackError::TooLong)?;
    let fresh = Fresh::draw(entropy);
    let bytes = fresh.key.seal_piece(&fresh.place(account, 0, true), &padded, entropy);
    let hash = *blake3::hash(&bytes).as_bytes();
    let sealed = SealedPack { pack: PackRef { id: fresh.id, class, hash, key: fresh.key, footer_len: 0 }, bytes };
    match open_page(account, &sealed.pack, &sealed.bytes) {
        Ok(again) if **again == *content => Ok(sealed),
        _ => Err(PackError::SelfCheck),
    }
}

pub fn open_page(account: &AccountId, pack: &PackRef, bytes: &[u8]) -> Result<Wiped, Damaged> {
    pack.check(bytes)?;
    let padded = pack.key.open_piece(&pack.place(account, 0, true), bytes)?;
    let content = unpad(&padded)?;
    if content.len() > CATALOGUE_PAGE_BYTES_MAX {
        return Err(Damaged);
    }
    Ok(Wiped::new(content.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::fixed::Fixed;

    const ACCOUNT: AccountId = AccountId([1; 32]);

    #[test]
    fn pages_stand_on_the_ladder_and_come_back() {
        let mut entropy = Fixed::new("page");
        let floor = 16 << 10;
        for (length, bytes) in [(0, floor), (floor - 84, floor), (floor - 83, 32 << 10), (64 << 10, 128 << 10)] {
            let content = vec![5; length];
            let page = seal_page(&ACCOUNT, &content, &mut entropy).unwrap();
            assert_eq!(page.bytes.len(), bytes, "{length}");
            assert_eq!(**open_page(&ACCOUNT, &page.pack, &page.bytes).unwrap(), *content);
            assert!(open_page(&AccountId([2; 32]), &page.pack, &page.bytes).is_err());
        }
        assert_eq!(seal_page(&ACCOUNT, &vec![0; (64 << 10) + 1], &mut entropy).err(), Some(PackError::TooLong));
    }

    #[test]
    fn changed_pages_are_refused() {
        let mut page = seal_page(&ACCOUNT, b"runs", &mut Fixed::new("page")).unwrap();
        for at in [0, 40, 70, 9000, page.bytes.len() - 1] {
            page.bytes[at] ^= 1;
            assert!(open_page(&ACCOUNT, &page.pack, &page.bytes).is_err());
            // Even when the hash goes along: then the seal refuses.
            let hash = page.pack.hash;
            page.pack.hash = *blake3::hash(&page.bytes).as_bytes();
            assert!(open_page(&ACCOUNT, &page.pack, &page.bytes).is_err());
            page.pack.hash = hash;
            page.bytes[at] ^= 1;
        }
        assert!(open_page(&ACCOUNT, &page.pack, &page.bytes).is_ok());
        assert!(open_page(&ACCOUNT, &page.pack, &page.bytes[1..]).is_err());
    }
}
