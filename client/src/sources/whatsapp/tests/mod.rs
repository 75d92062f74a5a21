//! Exports written by hand, read as a whole.

mod corpora;
mod damage;
mod lines;
mod styles;
mod support;
