//! A reader over JSON of any size whose memory is bounded by what its caller asks for.

use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

use struson::reader::{JsonReader, JsonStreamReader, ReaderError, ReaderSettings, ValueType};
use thiserror::Error;

use super::mend::Counts;
use super::{Json, Map, Mend};

/// JSON nested deeper than this is refused (FORMATS §5).
pub const DEPTH_MAX: u32 = 64;
/// The longest member name, number or run of white space: a stretch the parser below must hold in one piece.
const PIECE_BYTES_MAX: u64 = 1 << 20;
/// What a value costs of a budget beside the bytes of its text.
const NODE_COST: usize = 8;

/// Why a JSON text cannot be read on. Nothing after the place can be trusted.
#[derive(Debug, Error)]
pub enum Broken {
    #[error("broken JSON at line {line}, column {column}")]
    Syntax { line: u64, column: u64 },
    #[error("JSON nested deeper than {DEPTH_MAX}")]
    TooDeep,
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Walks through a JSON text. Values are taken whole within a budget, or passed over in constant memory.
pub struct Walker<R: Read> {
    json: JsonStreamReader<Allowed<Mend<R>>>,
    allowance: Rc<Cell<u64>>,
    counts: Counts,
}

impl<R: Read> Walker<R> {
    pub fn new(inner: R) -> Self {
        let mend = Mend::new(inner);
        let counts = mend.counts();
        let allowance = Rc::new(Cell::new(PIECE_BYTES_MAX));
        let settings = ReaderSettings { max_nesting_depth: Some(DEPTH_MAX), track_path: false, ..Default::default() };
        let inner = Allowed { inner: mend, left: allowance.clone() };
        Self { json: JsonStreamReader::new_custom(inner, settings), allowance, counts }
    }

    /// Places of the text so far that were not clean and read as U+FFFD.
    pub fn mended(&self) -> u64 {
        self.counts.mended.get()
    }

    /// Kind of the next value.
    pub fn peek(&mut self) -> Result<ValueType, Broken> {
        self.refill();
        Ok(self.json.peek()?)
    }

    pub fn begin_object(&mut self) -> Result<(), Broken> {
        self.refill();
        Ok(self.json.begin_object()?)
    }

    pub fn begin_array(&mut self) -> Result<(), Broken> {
        self.refill();
        Ok(self.json.begin_array()?)
    }

    pub fn end_object(&mut self) -> Result<(), Broken> {
        Ok(self.json.end_object()?)
    }

    pub fn end_array(&mut self) -> Result<(), Broken> {
        Ok(self.json.end_array()?)
    }

    /// The next member's name, or nothing at the object's end (which is then passed).
    pub fn member(&mut self) -> Result<Option<String>, Broken> {
        self.refill();
        if self.json.has_next()? {
            self.refill();
            return Ok(Some(self.json.next_name_owned()?));
        }
        self.json.end_object()?;
        Ok(None)
    }

    /// Whether the array has another item; its end is passed when not.
    pub fn item(&mut self) -> Result<bool, Broken> {
        self.refill();
        if self.json.has_next()? {
            return Ok(true);
        }
        self.json.end_array()?;
        Ok(false)
    }

    /// Takes the next value. One that costs more than `bytes_max` is passed over and reads as nothing.
    pub fn value(&mut self, bytes_max: usize) -> Result<Option<Json>, Broken> {
        let mut left = Some(bytes_max);
        let value = self.take(&mut left)?;
        Ok(left.map(|_| value))
    }

    /// Passes over the next value.
    pub fn skip(&mut self) -> Result<(), Broken> {
        self.take(&mut None).map(drop)
    }

    /// Asserts that only white space is left.
    pub fn finish(self) -> Result<(), Broken> {
        self.refill();
        Ok(self.json.consume_trailing_whitespace()?)
    }

    fn refill(&self) {
        self.allowance.set(PIECE_BYTES_MAX);
    }

    /// Reads one value. `left` is what may still be kept; once it is nothing, the value is only passed over.
    fn take(&mut self, left: &mut Option<usize>) -> Result<Json, Broken> {
        charge(left, NODE_COST);
        Ok(match self.peek()? {
            ValueType::Null => {
                self.json.next_null()?;
                Json::Null
            }
            ValueType::Boolean => Json::Bool(self.json.next_bool()?),
            ValueType::Number => {
                let number = self.json.next_number_as_string()?;
                charge(left, number.len());
                Json::Number(number)
            }
            ValueType::String => Json::Text(self.string(left)?),
            ValueType::Array => {
                self.begin_array()?;
                let mut list = Vec::new();
                while self.item()? {
                    let value = self.take(left)?;
                    keep(left, || list.push(value));
                }
                Json::List(list)
            }
            ValueType::Object => {
                self.begin_object()?;
                let mut map = Map::new();
                while let Some(name) = self.member()? {
                    charge(left, name.len());
                    let value = self.take(left)?;
                    keep(left, || {
                        map.insert(name, value);
                    });
                }
                Json::Map(map)
            }
        })
    }

    fn string(&mut self, left: &mut Option<usize>) -> Result<String, Broken> {
        let mut text = Vec::new();
        let mut buf = [0; 4096];
        let mut reader = self.json.next_string_reader()?;
        loop {
            self.allowance.set(PIECE_BYTES_MAX);
            let n = reader.read(&mut buf).map_err(string_error)?;
            if n == 0 {
                break;
            }
            charge(left, n);
            keep(left, || text.extend_from_slice(buf.get(..n).unwrap_or_default()));
        }
        drop(reader);
        // The parser hands out whole strings as valid UTF-8; one cut short is given up by the caller anyway.
        Ok(String::from_utf8(text).unwrap_or_default())
    }
}

/// Reads one JSON value that is all of `bytes`.
pub fn whole(bytes: &[u8], bytes_max: usize) -> Result<Option<Json>, Broken> {
    let mut walker = Walker::new(bytes);
    let value = walker.value(bytes_max)?;
    walker.finish()?;
    Ok(value)
}

fn charge(left: &mut Option<usize>, cost: usize) {
    *left = left.and_then(|l| l.checked_sub(cost));
}

fn keep(left: &Option<usize>, act: impl FnOnce()) {
    if left.is_some() {
        act();
    }
}

/// Bounds how much is read for one piece: the parser below holds a name in memory until it has seen its end.
struct Allowed<R> {
    inner: R,
    left: Rc<Cell<u64>>,
}

impl<R: Read> Read for Allowed<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.left.get()).unwrap_or(usize::MAX);
        if left == 0 && !buf.is_empty() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a piece of JSON without an end"));
        }
        let room = buf.len().min(left);
        let n = self.inner.read(buf.get_mut(..room).unwrap_or_default())?;
        self.left.set(self.left.get() - n as u64);
        Ok(n)
    }
}

fn string_error(error: io::Error) -> Broken {
    // The string reader wraps syntax errors as `Other`; the place is then inside them and not told apart.
    match error.downcast::<ReaderError>() {
        Ok(inner) => inner.into(),
        Err(error) if error.kind() == io::ErrorKind::Other => Broken::Syntax { line: 0, column: 0 },
        Err(error) => Broken::Io(error),
    }
}

impl From<ReaderError> for Broken {
    fn from(error: ReaderError) -> Self {
        let location = match error {
            ReaderError::IoError { error, .. } => return Self::Io(error),
            ReaderError::MaxNestingDepthExceeded { .. } => return Self::TooDeep,
            ReaderError::SyntaxError(e) => e.location,
            ReaderError::UnexpectedValueType { location, .. }
            | ReaderError::UnexpectedStructure { location, .. }
            | ReaderError::UnsupportedNumberValue { location, .. } => location,
            _ => return Self::Syntax { line: 0, column: 0 },
        };
        let place = location.line_pos.unwrap_or(struson::reader::LinePosition { line: 0, column: 0 });
        Self::Syntax { line: place.line + 1, column: place.column + 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_above_its_budget_is_passed_over_and_the_next_is_read() {
        let long = "x".repeat(3 << 20);
        let text =
            format!("[{{\"a\":[\"{long}\",{{\"{}\":1}}]}},[{}1],\"after\"]", "n".repeat(900_000), "1,".repeat(5000));
        let mut walker = Walker::new(text.as_bytes());
        walker.begin_array().unwrap();
        for wanted in [None, None, Some(Json::Text("after".into()))] {
            assert!(walker.item().unwrap());
            assert_eq!(walker.value(20_000).unwrap(), wanted);
        }
        assert!(!walker.item().unwrap());
        walker.finish().unwrap();
    }

    #[test]
    fn a_name_without_an_end_is_refused() {
        let text = format!("{{\"{}\":1}}", "n".repeat(2 << 20));
        assert!(
            matches!(whole(text.as_bytes(), usize::MAX), Err(Broken::Io(e)) if e.kind() == io::ErrorKind::InvalidData)
        );
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |n: usize| "[".repeat(n) + &"]".repeat(n);
        assert!(whole(nested(DEPTH_MAX as usize).as_bytes(), 1 << 20).is_ok());
        assert!(matches!(whole(nested(DEPTH_MAX as usize + 1).as_bytes(), 1 << 20), Err(Broken::TooDeep)));
        assert!(matches!(whole("[".repeat(100_000).as_bytes(), 1 << 20), Err(Broken::TooDeep)));
    }

    #[test]
    fn broken_text_names_its_place() {
        assert!(matches!(whole(b"{\"a\":\n 1,]", 99), Err(Broken::Syntax { line: 2, .. })));
        assert!(matches!(whole(b"{} {}", 99), Err(Broken::Syntax { line: 1, .. })));
        assert!(whole(b"\"abc", 99).is_err());
    }
}
