//! Import values: what an export was (FORMATS §2a item 5).

use std::collections::BTreeSet;

use proto::wire::bytes::{Malformed, Reader, Result, Writer};

use crate::event::Precision;

/// What the import row says of an export. Nothing in it depends on when or where it was imported.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Import {
    /// First and last unit among its lines.
    pub first: i64,
    pub last: i64,
    /// Time of its last message, ms.
    pub as_of: i64,
    pub count: u64,
    pub precision: Precision,
    /// Names as the export writes them.
    pub names: BTreeSet<String>,
    /// More names than an import row holds: then no name of this export can be proven absent from it.
    pub names_cut: bool,
}

impl Import {
    /// Names of one export that are kept, in bytes of their encoding.
    const NAMES_BYTES_MAX: usize = 18 << 10;
    const NAME_BYTES_MAX: usize = 4096;

    /// Whether the export may hold this name.
    pub fn holds(&self, name: &str) -> bool {
        self.names_cut || self.names.contains(name)
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut names = Writer::new();
        let mut kept = 0u64;
        for name in &self.names {
            if name.len() > Self::NAME_BYTES_MAX || names.len() + name.len() + 2 > Self::NAMES_BYTES_MAX {
                break;
            }
            names.prefixed(name.as_bytes());
            kept += 1;
        }
        let cut = self.names_cut || kept < self.names.len() as u64;
        let mut w = Writer::new();
        w.svarint(self.first).svarint(self.last).svarint(self.as_of).uvarint(self.count);
        w.u8(self.precision as u8).u8(u8::from(cut)).uvarint(kept).raw(&names.finish());
        w.finish()
    }

    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut r = Reader::new(bytes);
        let (first, last, as_of, count) = (r.svarint()?, r.svarint()?, r.svarint()?, r.uvarint()?);
        let precision = match r.u8()? {
            0 => Precision::Minute,
            1 => Precision::Second,
            2 => Precision::Milli,
            3 => Precision::Micro,
            4 => Precision::Nano,
            _ => return Err(Malformed::Unknown),
        };
        let names_cut = match r.u8()? {
            0 => false,
            1 => true,
            _ => return Err(Malformed::Unknown),
        };
        let mut names = BTreeSet::new();
        for _ in 0..r.count(Self::NAMES_BYTES_MAX)? {
            let name = r.text(Self::NAME_BYTES_MAX)?;
            if names.last().is_some_and(|last: &String| &**last >= name) {
                return Err(Malformed::NotCanonical);
            }
            names.insert(name.to_owned());
        }
        r.finish()?;
        Ok(Self { first, last, as_of, count, precision, names, names_cut })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_import_comes_back(
            first in any::<i64>(), count in any::<u64>(),
            names in prop::collection::btree_set("\\PC{0,20}", 0..20),
        ) {
            let import = Import {
                first, last: 7, as_of: -3, count, precision: Precision::Second, names, names_cut: false,
            };
            prop_assert_eq!(Import::decode(&import.encode()), Ok(import));
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = Import::decode(&bytes);
        }
    }

    #[test]
    fn too_many_names_are_cut_and_said_to_be() {
        let names = (0..5000).map(|i| format!("member number {i}")).collect();
        let import =
            Import { first: 0, last: 0, as_of: 0, count: 1, precision: Precision::Minute, names, names_cut: false };
        let bytes = import.encode();
        assert!(bytes.len() < 20 << 10);
        assert!(Import::decode(&bytes).unwrap().holds("somebody who is not in the list"));
    }
}
