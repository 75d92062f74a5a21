//! One type per kind of id; each prints as hex, eight characters short.

/// Defines a fixed-size id type.
#[macro_export]
macro_rules! id_type {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; $len]);

        impl $name {
            pub const LEN: usize = $len;

            /// The full id in lower-case hex.
            pub fn hex(&self) -> String {
                self.0.iter().map(|b| format!("{b:02x}")).collect()
            }

            /// The first eight characters: what people see.
            pub fn short(&self) -> String {
                self.hex()[..8].to_owned()
            }

            pub fn from_slice(bytes: &[u8]) -> Option<Self> {
                Some(Self(bytes.try_into().ok()?))
            }

            /// Reads lower-case hex, the one form that [`Self::hex`] writes: an object has one name.
            pub fn from_hex(text: &str) -> Option<Self> {
                if text.len() != 2 * $len || !text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
                    return None;
                }
                let mut out = [0u8; $len];
                for (i, byte) in out.iter_mut().enumerate() {
                    *byte = u8::from_str_radix(&text[2 * i..2 * i + 2], 16).ok()?;
                }
                Some(Self(out))
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.short())
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.hex())
            }
        }
    };
}

id_type!(/// BLAKE3 of the account's first roster verifying key; the first 16 bytes are its address.
    AccountId, 32);
id_type!(/// BLAKE3 of a device's public keys.
    DeviceId, 32);
id_type!(/// Random name of one object in object storage.
    PackId, 16);

impl AccountId {
    /// The prefix of the account's objects in the bucket.
    pub fn address(&self) -> String {
        self.hex()[..32].to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_one_text() {
        let id = PackId([0xab; 16]);
        assert_eq!(PackId::from_hex(&"ab".repeat(16)), Some(id));
        assert_eq!((id.hex(), id.short()), ("ab".repeat(16), "abababab".to_owned()));
        // A plus sign is a digit to the standard library's number reader, and an upper-case name would be a second one.
        for other in ["AB".repeat(16), "+b".repeat(16), "ab".repeat(15), "ab".repeat(17), "é".repeat(16)] {
            assert_eq!(PackId::from_hex(&other), None, "{other}");
        }
        assert_eq!(PackId::from_slice(&[1; 15]), None);
        assert_eq!(AccountId([0x1f; 32]).address(), "1f".repeat(16));
    }
}
