//! Where a server on an RDMA device is reached.

use std::fmt;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};

use runtime_core::ServerConfig;

use crate::services::echo8;

/// A host's address and the options that name a device, without a TCP port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Host {
    name: String,
    /// Empty, or with the `?` that they begin with.
    options: String,
}

impl Host {
    /// Takes `10.0.0.1` or `10.0.0.1?device=rxe0` apart.
    pub(crate) fn of(text: &str) -> Result<Self, String> {
        let (name, options) = match text.find('?') {
            Some(at) => text.split_at(at),
            None => (text, ""),
        };
        // It becomes a word of an order, and part of JSON.
        let is_plain = |c: char| c.is_ascii_graphic() && c != '"' && c != '\\';
        if name.is_empty() || !text.chars().all(is_plain) {
            return Err(format!("`{text}` is no address of a host"));
        }
        Ok(Self {
            name: name.into(),
            options: options.into(),
        })
    }

    /// The first port of this machine that can be used, as the backend finds it.
    pub(crate) fn first() -> Result<Self, String> {
        let server = runtime_rdma::Server::<echo8::Service>::new(&ServerConfig {
            max_clients: 1,
            ..ServerConfig::default()
        });
        let server = server.map_err(|error| error.to_string())?;
        let name = match server.local_addr().ip() {
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("[{ip}]"),
        };
        Self::of(&name)
    }

    /// The address of a server at a TCP port; 0 has the operating system choose one.
    pub(crate) fn at(&self, port: u32) -> String {
        format!("{}:{port}{}", self.name, self.options)
    }

    /// Its first address.
    pub(crate) fn ip(&self) -> Result<IpAddr, String> {
        let name = format!("{}:0", self.name);
        let found = name.to_socket_addrs();
        let mut found = found.map_err(|error| format!("looking up `{}`: {error}", self.name))?;
        let first = found.next().as_ref().map(SocketAddr::ip);
        first.ok_or_else(|| format!("`{}` has no address", self.name))
    }

    /// What an option is set to.
    pub(crate) fn option(&self, name: &str) -> Option<&str> {
        let options = self.options.strip_prefix('?')?.split('&');
        let mut pairs = options.filter_map(|option| option.split_once('='));
        Some(pairs.find(|(key, _)| *key == name)?.1)
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.name, self.options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_stay_behind_the_port() {
        let host = Host::of("10.0.0.1?device=rxe0&gid=1").unwrap();
        assert_eq!(host.at(7), "10.0.0.1:7?device=rxe0&gid=1");
        assert_eq!(host.option("device"), Some("rxe0"));
        assert_eq!(host.option("gid"), Some("1"));
        assert_eq!(host.option("port"), None);
        assert_eq!(host.ip(), Ok("10.0.0.1".parse().unwrap()));
        assert_eq!(Host::of(&host.to_string()), Ok(host));
        let plain = Host::of("127.0.0.1").unwrap();
        assert_eq!(
            (plain.at(0), plain.option("gid")),
            ("127.0.0.1:0".into(), None)
        );
    }

    #[test]
    fn what_is_no_word_is_no_host() {
        for text in ["", "?gid=1", "a b", "a\nb", "a\"b"] {
            assert!(Host::of(text).is_err(), "{text}");
        }
    }
}
