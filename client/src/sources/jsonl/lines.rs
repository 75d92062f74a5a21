//! Lines of any file in bounded memory.

use std::collections::BTreeSet;
use std::io::{self, BufRead, Read};

use struson::reader::ValueType;

use super::LINE_BYTES_MAX;
use crate::sources::json::{Broken, Json, Map, Walker, quick};

/// A line as it stands in the file.
pub struct Line {
    /// Counted from 1.
    pub number: u64,
    bytes: Vec<u8>,
    too_long: bool,
}

/// A line read as an object.
pub struct Object {
    pub map: Map,
    /// Places that were not valid text.
    pub mended: u64,
    /// The line's bytes, where there were such places.
    pub raw: Option<Vec<u8>>,
}

impl Line {
    /// Reads the line; nothing where it is blank.
    pub fn read(&self) -> Result<Option<Object>, String> {
        if self.too_long {
            return Err(format!("longer than {} MiB", LINE_BYTES_MAX >> 20));
        }
        let content = self.bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&self.bytes);
        if content.iter().all(u8::is_ascii_whitespace) {
            return Ok(None);
        }
        if let Some(Json::Map(map)) = quick(content) {
            return Ok(Some(Object { map, mended: 0, raw: None }));
        }
        let mut walker = Walker::new(content);
        // A value costs more than its text, so the budget is above what a line may be long.
        let value = walker.value(LINE_BYTES_MAX * 4).map_err(|e| told(&e))?;
        let mended = walker.mended();
        walker.finish().map_err(|e| told(&e))?;
        match value {
            Some(Json::Map(map)) => Ok(Some(Object { map, mended, raw: (mended > 0).then(|| content.to_vec()) })),
            Some(_) => Err("not a JSON object".into()),
            None => Err("holds too many values".into()),
        }
    }
}

/// The place inside the line is enough: its number stands beside the reason.
fn told(e: &Broken) -> String {
    match e {
        Broken::Syntax { column, .. } if *column > 0 => format!("broken JSON at column {column}"),
        Broken::Syntax { .. } => "broken JSON".into(),
        other => other.to_string(),
    }
}

pub struct Lines<R> {
    inner: R,
    number: u64,
}

impl<R: BufRead> Lines<R> {
    pub fn new(inner: R) -> Self {
        Self { inner, number: 0 }
    }

    /// The next line. What is above the limit is passed over, not kept.
    pub fn next(&mut self) -> io::Result<Option<Line>> {
        let mut line = Line { number: self.number + 1, bytes: Vec::new(), too_long: false };
        let mut any = false;
        loop {
            let available = match self.inner.fill_buf() {
                Ok(available) => available,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(e),
            };
            if available.is_empty() {
                break;
            }
            any = true;
            let end = available.iter().position(|b| *b == b'\n');
            let piece = available.get(..end.unwrap_or(available.len())).unwrap_or_default();
            if line.bytes.len() + piece.len() > LINE_BYTES_MAX {
                line.too_long = true;
                line.bytes = Vec::new();
            } else if !line.too_long {
                line.bytes.extend_from_slice(piece);
            }
            let used = piece.len() + usize::from(end.is_some());
            self.inner.consume(used);
            if end.is_some() {
                break;
            }
        }
        if !any {
            return Ok(None);
        }
        self.number += 1;
        Ok(Some(line))
    }
}

/// The keys of the first line, as far as the sample shows them.
pub fn first_keys(sample: impl Read) -> Option<BTreeSet<String>> {
    let mut walker = Walker::new(sample);
    let mut keys = BTreeSet::new();
    // A sample may end inside the line: what was seen before counts.
    let mut look = || -> Result<(), Broken> {
        if walker.peek()? != ValueType::Object {
            return Ok(());
        }
        walker.begin_object()?;
        while let Some(name) = walker.member()? {
            keys.insert(name);
            walker.skip()?;
        }
        Ok(())
    };
    let _ = look();
    Some(keys).filter(|k| !k.is_empty())
}
