//! Measurements of chatkeep.

pub mod account;
pub mod figures;
pub mod hot;
pub mod service;

pub type Failed = Box<dyn std::error::Error + Send + Sync>;
pub type Done<T> = Result<T, Failed>;
