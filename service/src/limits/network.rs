//! Where a call comes from, coarsely, and how often one network may try to get in.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Networks remembered at once. When there are more, those that have rested longest are forgotten.
const NETWORKS_MAX: usize = 100_000;

/// The other end of a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Peer {
    pub ip: Option<IpAddr>,
    /// A proxy we trust to say whom it speaks for.
    pub is_proxy: bool,
}

/// A /24 or /48: as near as limits and logs come to a person.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Network(IpAddr);

impl Network {
    pub fn of(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(v4) => {
                let [a, b, c, _] = v4.octets();
                Self(IpAddr::V4(Ipv4Addr::new(a, b, c, 0)))
            }
            IpAddr::V6(v6) => {
                let [a, b, c, ..] = v6.segments();
                Self(IpAddr::V6(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0)))
            }
        }
    }

    /// The network of a call: the peer's, or that of the address a trusted proxy saw.
    pub fn of_call(peer: &Peer, forwarded_for: Option<&str>) -> Option<Self> {
        let said = forwarded_for.filter(|_| peer.is_proxy).and_then(|text| {
            // The last address is the one our own proxy added; those before it anybody can write.
            let last = text.rsplit(',').next()?.trim();
            last.parse::<IpAddr>().ok()
        });
        said.or(peer.ip).map(Self::of)
    }
}

impl std::fmt::Display for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            IpAddr::V4(ip) => write!(f, "{ip}/24"),
            IpAddr::V6(ip) => write!(f, "{ip}/48"),
        }
    }
}

/// A rate per network: a burst of `per_minute`, refilled evenly.
///
/// Each network's state is one time: when its debt would be paid (the generic cell rate algorithm).
pub struct NetworkLimit {
    per_minute: u32,
    paid_at_ms: Mutex<HashMap<Option<Network>, u64>>,
}

impl NetworkLimit {
    pub fn new(per_minute: u32) -> Self {
        Self { per_minute: per_minute.max(1), paid_at_ms: Mutex::default() }
    }

    /// Takes one try, or says when the next is possible. Calls without a network share one.
    pub fn take(&self, network: Option<Network>, now_ms: u64) -> Result<(), Duration> {
        let cost_ms = 60_000 / u64::from(self.per_minute);
        let burst_ms = cost_ms * u64::from(self.per_minute);
        let mut all = self.paid_at_ms.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= NETWORKS_MAX {
            forget(&mut all, now_ms);
        }
        let paid_at = all.entry(network).or_insert(now_ms);
        // A clock that went back must not lock a network out for as long.
        let due = (*paid_at).clamp(now_ms, now_ms + burst_ms) + cost_ms;
        if due > now_ms + burst_ms {
            return Err(Duration::from_millis(due - now_ms - burst_ms));
        }
        *paid_at = due;
        Ok(())
    }
}

/// Forgets networks without debt, and if there are none everything: a flood from everywhere is not held back here.
fn forget(all: &mut HashMap<Option<Network>, u64>, now_ms: u64) {
    all.retain(|_, paid_at| *paid_at > now_ms);
    if all.len() >= NETWORKS_MAX {
        all.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Network {
        Network::of(text.parse().unwrap())
    }

    #[test]
    fn networks_are_coarse() {
        assert_eq!(network("192.0.2.7"), network("192.0.2.250"));
        assert_ne!(network("192.0.2.7"), network("192.0.3.7"));
        assert_eq!(network("::ffff:192.0.2.7"), network("192.0.2.7"));
        assert_eq!(network("2001:db8:1:2::3").to_string(), "2001:db8:1::/48");
        assert_eq!(network("192.0.2.7").to_string(), "192.0.2.0/24");
    }

    #[test]
    fn only_a_trusted_proxy_speaks_for_others() {
        let ip = "198.51.100.1".parse().ok();
        let of = |is_proxy, said| Network::of_call(&Peer { ip, is_proxy }, said);
        assert_eq!(of(false, Some("192.0.2.7")), Some(network("198.51.100.1")));
        assert_eq!(of(true, Some("203.0.113.9, 192.0.2.7")), Some(network("192.0.2.7")));
        assert_eq!(of(true, Some("nonsense")), Some(network("198.51.100.1")));
        assert_eq!(of(true, None), Some(network("198.51.100.1")));
    }

    #[test]
    fn ten_at_once_then_one_every_six_seconds() {
        let limit = NetworkLimit::new(10);
        let (one, two) = (Some(network("192.0.2.7")), Some(network("198.51.100.1")));
        assert_eq!((0..30).filter(|_| limit.take(one, 1_000_000).is_ok()).count(), 10);
        assert_eq!(limit.take(one, 1_000_000), Err(Duration::from_secs(6)));
        assert!(limit.take(two, 1_000_000).is_ok());
        assert!(limit.take(one, 1_005_999).is_err());
        assert!(limit.take(one, 1_006_000).is_ok());
        assert!(limit.take(one, 1_006_000).is_err());
        assert_eq!((0..30).filter(|_| limit.take(one, 2_000_000).is_ok()).count(), 10);
        // The clock goes back a year: at worst a minute's wait.
        assert!(limit.take(two, 1).is_err() || limit.take(two, 60_001).is_ok());
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let limit = NetworkLimit::new(10);
        for i in 0..(NETWORKS_MAX as u32 + 10) {
            let _ = limit.take(Some(Network::of(IpAddr::V4(Ipv4Addr::from_bits(i << 8)))), 0);
        }
        assert!(limit.paid_at_ms.lock().unwrap().len() <= NETWORKS_MAX);
    }
}
