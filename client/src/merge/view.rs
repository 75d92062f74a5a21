//! View values: what stood together in one file, hence cannot be one message (FORMATS §2a item 4).

use proto::wire::bytes::{Malformed, Reader, Result, Writer};

use super::Class;
use super::native::Ident;

/// What of a row is content: a copy's number is left out.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Content {
    pub class: Class,
    pub ident: Ident,
}

/// Equal lines in a row.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Run {
    pub content: Content,
    /// The number k of the first of them.
    pub k: u32,
    pub count: u32,
}

/// The lines of one bucket as one export shows them, in order.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct View {
    /// The bucket lies in the export's first unit, where a cut may have taken lines away.
    pub first_unit: bool,
    pub runs: Vec<Run>,
}

impl View {
    /// A view of more runs is not written: its row would not fit. Its edits and deletions then go by text alone.
    pub const RUNS_MAX: usize = 1_000;
    /// A view of more lines is not read.
    pub const LINES_MAX: u32 = 65_536;

    /// Adds one more line, copy number `k` of its content.
    pub fn push(&mut self, content: Content, k: u32) {
        match self.runs.last_mut() {
            Some(run) if run.content == content && run.k + run.count == k => run.count += 1,
            _ => self.runs.push(Run { content, k, count: 1 }),
        }
    }

    /// The lines one by one: content and copy number.
    pub fn lines(&self) -> impl Iterator<Item = (Content, u32)> {
        self.runs.iter().flat_map(|run| (0..run.count).map(|i| (run.content, run.k + i)))
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.u8(u8::from(self.first_unit)).uvarint(self.runs.len() as u64);
        for run in &self.runs {
            w.u8(run.content.class.letter() as u8).raw(&run.content.ident.0);
            w.uvarint(u64::from(run.k)).uvarint(u64::from(run.count));
        }
        w.finish()
    }

    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut r = Reader::new(bytes);
        let first_unit = match r.u8()? {
            0 => false,
            1 => true,
            _ => return Err(Malformed::Unknown),
        };
        let mut lines = 0;
        let mut runs = Vec::new();
        for _ in 0..r.count(Self::RUNS_MAX)? {
            let class = Class::from_letter(r.u8()?).ok_or(Malformed::Unknown)?;
            let content = Content { class, ident: Ident(r.array()?) };
            let k = u32::try_from(r.uvarint()?).map_err(|_| Malformed::TooLong)?;
            let count = u32::try_from(r.uvarint()?).map_err(|_| Malformed::TooLong)?;
            lines = u32::saturating_add(lines, count);
            if count == 0 || lines > Self::LINES_MAX || k > u32::MAX - Self::LINES_MAX {
                return Err(Malformed::TooLong);
            }
            runs.push(Run { content, k, count });
        }
        r.finish()?;
        Ok(Self { first_unit, runs })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::ROW_BYTES_MAX;
    use proptest::prelude::*;

    fn content(text: &str) -> Content {
        Content { class: Class::Plain, ident: Ident::of(text) }
    }

    #[test]
    fn equal_lines_in_a_row_are_one_run_and_come_back_one_by_one() {
        let mut view = View::default();
        let lines = [("a", 0), ("a", 1), ("b", 0), ("a", 2)];
        for (text, k) in lines {
            view.push(content(text), k);
        }
        assert_eq!(view.runs.iter().map(|r| r.count).collect::<Vec<_>>(), [2, 1, 1]);
        assert_eq!(view.lines().collect::<Vec<_>>(), lines.map(|(text, k)| (content(text), k)));
        assert_eq!(View::decode(&view.encode()), Ok(view));
    }

    #[test]
    fn the_longest_view_fits_a_row() {
        let mut view = View::default();
        for i in 0..View::RUNS_MAX as u32 {
            view.push(content(&i.to_string()), i % 3);
        }
        assert!(view.encode().len() < ROW_BYTES_MAX - 2048 - 256);
        assert!(View::decode(&view.encode()).is_ok());
    }

    proptest! {
        #[test]
        fn what_decodes_is_canonical(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            if let Ok(view) = View::decode(&bytes) {
                prop_assert_eq!(view.encode(), bytes);
            }
        }
    }
}
