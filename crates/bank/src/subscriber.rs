//! Who is behind an address, as far as shares and rates can tell.

use std::net::{IpAddr, Ipv6Addr};

/// One who has an address of IPv4, or the 2^64 of IPv6 that one line gets: they count as one.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Subscriber(IpAddr);

impl Subscriber {
    pub(crate) fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V4(address) => address.into(),
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        })
    }

    /// Different for each.
    pub(crate) fn number(self) -> u128 {
        match self.0 {
            IpAddr::V4(address) => address.to_bits().into(),
            IpAddr::V6(address) => address.to_bits(),
        }
    }

    /// As text, different for each.
    pub(crate) fn name(self) -> String {
        match self.0 {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                format!("{a:x}:{b:x}:{c:x}:{d:x}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(address: &str) -> Subscriber {
        Subscriber::of(address.parse().unwrap())
    }

    #[test]
    fn a_line_is_one_whatever_address_of_it_is_used() {
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::9"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"), "the same, mapped");
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
        assert_eq!(of("2001:db8:1:2::1").name(), "2001:db8:1:2");
        assert_eq!(of("192.0.2.1").name(), "192.0.2.1");
        assert_ne!(of("192.0.2.1").number(), of("192.0.2.2").number());
    }
}
