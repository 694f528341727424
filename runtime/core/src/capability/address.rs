//! Which addresses are public. After the IANA special-purpose address registries (RFC 6890 and its updates).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What kind of address it is, as far as reaching it matters.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AddressKind {
    /// Anybody's, on the internet.
    Public,
    /// This machine.
    Loopback,
    /// A private network, or one shared with a provider.
    Private,
    /// The link alone; cloud metadata services live here.
    LinkLocal,
    /// Multicast, broadcast, documentation, translation, reserved or unspecified.
    Reserved,
}

impl fmt::Display for AddressKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Public => "a public",
            Self::Loopback => "a loopback",
            Self::Private => "a private",
            Self::LinkLocal => "a link-local",
            Self::Reserved => "a reserved",
        })
    }
}

/// The kind of `address`. IPv6 forms that carry an IPv4 address are never public.
#[must_use]
pub fn address_kind(address: IpAddr) -> AddressKind {
    match address {
        IpAddr::V4(address) => v4(address),
        IpAddr::V6(address) => v6(address),
    }
}

fn v4(address: Ipv4Addr) -> AddressKind {
    match address.octets() {
        [127, ..] => AddressKind::Loopback,
        [169, 254, ..] => AddressKind::LinkLocal,
        // By its number public, but Azure's machines reach their host's services by it.
        [168, 63, 129, 16] => AddressKind::LinkLocal,
        [10, ..] | [192, 168, ..] => AddressKind::Private,
        [172, second, ..] if second & 0xf0 == 16 => AddressKind::Private,
        [100, second, ..] if second & 0xc0 == 64 => AddressKind::Private,
        [0, ..] | [192, 0, 0 | 2, _] | [192, 88, 99, _] | [198, 18 | 19, ..] | [198, 51, 100, _] | [203, 0, 113, _] => {
            AddressKind::Reserved
        }
        [224..=255, ..] => AddressKind::Reserved,
        _ => AddressKind::Public,
    }
}

fn v6(address: Ipv6Addr) -> AddressKind {
    if let Some(mapped) = address.to_ipv4_mapped() {
        // A mapped address reaches the IPv4 one; a public one is refused too, as nothing honest writes it.
        return match v4(mapped) {
            AddressKind::Public => AddressKind::Reserved,
            kind => kind,
        };
    }
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 1] => AddressKind::Loopback,
        [first, ..] if first & 0xffc0 == 0xfe80 => AddressKind::LinkLocal,
        [first, ..] if first & 0xfe00 == 0xfc00 => AddressKind::Private,
        [first, ..] if first & 0xffc0 == 0xfec0 => AddressKind::Private,
        // 2001::/23 holds Teredo and other protocols; 2001:db8::/32 and 3fff::/20 are documentation; 2002::/16 is 6to4.
        [0x2001, second, ..] if second < 0x200 || second == 0xdb8 => AddressKind::Reserved,
        [0x2002, ..] => AddressKind::Reserved,
        [0x3fff, second, ..] if second < 0x1000 => AddressKind::Reserved,
        // Only 2000::/3 is given out as global unicast; 64:ff9b::/96 and the like carry IPv4 addresses.
        [first, ..] if first & 0xe000 == 0x2000 => AddressKind::Public,
        _ => AddressKind::Reserved,
    }
}
