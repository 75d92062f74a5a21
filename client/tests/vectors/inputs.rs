//! Reads a vector's inputs, and stands in for the random source.

use client::crypto::Entropy;
use serde_json::{Map, Value};

/// A vector's inputs by name. A missing or misspelt one is a fault of the vector and stops the test.
pub struct Inputs<'v>(&'v Map<String, Value>);

impl<'v> Inputs<'v> {
    pub fn new(values: &'v Map<String, Value>) -> Self {
        Self(values)
    }

    fn get(&self, name: &str) -> &'v Value {
        self.0.get(name).unwrap_or_else(|| panic!("the vector has no {name}"))
    }

    pub fn inner(&self, name: &str) -> Inputs<'v> {
        Inputs(self.get(name).as_object().unwrap_or_else(|| panic!("{name} is an object")))
    }

    pub fn text(&self, name: &str) -> &'v str {
        self.get(name).as_str().unwrap_or_else(|| panic!("{name} is text"))
    }

    /// Text that may be `null`.
    pub fn text_or_none(&self, name: &str) -> Option<&'v str> {
        if self.get(name).is_null() { None } else { Some(self.text(name)) }
    }

    pub fn number<N: TryFrom<u64>>(&self, name: &str) -> N {
        let number = self.get(name).as_u64().and_then(|n| n.try_into().ok());
        number.unwrap_or_else(|| panic!("{name} is a number that fits"))
    }

    pub fn flag(&self, name: &str) -> bool {
        self.get(name).as_bool().unwrap_or_else(|| panic!("{name} is a boolean"))
    }

    pub fn bytes(&self, name: &str) -> Vec<u8> {
        unhex(self.text(name))
    }

    pub fn array<const N: usize>(&self, name: &str) -> [u8; N] {
        self.bytes(name).try_into().unwrap_or_else(|_| panic!("{name} has {N} bytes"))
    }

    pub fn list(&self, name: &str) -> Vec<Vec<u8>> {
        let items = self.get(name).as_array().unwrap_or_else(|| panic!("{name} is a list"));
        items.iter().map(|item| unhex(item.as_str().expect("a list of hex"))).collect()
    }

    /// A random source that gives these bytes, in this order, and no more.
    pub fn source(&self, name: &str) -> Given {
        Given(self.bytes(name))
    }
}

pub struct Given(Vec<u8>);

impl Entropy for Given {
    fn fill(&mut self, out: &mut [u8]) {
        assert!(out.len() <= self.0.len(), "the vector gives as many random bytes as are drawn");
        out.copy_from_slice(&self.0[..out.len()]);
        self.0.drain(..out.len());
    }
}

pub fn hex(bytes: &[u8]) -> Value {
    Value::String(bytes.iter().map(|b| format!("{b:02x}")).collect())
}

fn unhex(text: &str) -> Vec<u8> {
    assert!(text.len() % 2 == 0 && text.is_ascii(), "hex comes in pairs");
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).expect("hex digits")).collect()
}
