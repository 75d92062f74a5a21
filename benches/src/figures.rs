//! What is told of many times.

use std::time::Duration;

use serde_json::{Value, json};

pub struct Figures {
    pub median: Duration,
    pub p99: Duration,
    least: Duration,
    most: Duration,
}

impl Figures {
    pub fn of(mut all: Vec<Duration>) -> Self {
        all.sort();
        let part = |percent: usize| all.get(all.len().saturating_sub(1) * percent / 100).copied().unwrap_or_default();
        Self { median: part(50), p99: part(99), least: part(0), most: part(100) }
    }

    pub fn told(&self) -> Value {
        json!({ "median_ms": ms(self.median), "p99_ms": ms(self.p99), "least_ms": ms(self.least), "most_ms": ms(self.most) })
    }
}

pub fn ms(d: Duration) -> f64 {
    (d.as_secs_f64() * 1e5).round() / 100.0
}

/// To two places.
pub fn ratio(a: f64, b: f64) -> f64 {
    (a / b * 100.0).round() / 100.0
}
