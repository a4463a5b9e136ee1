//! Where a server is, and over which device it is reached.

use std::net::{SocketAddr, ToSocketAddrs};

use runtime_core::AttachError;

/// A host and a port, and what is to be set for the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    /// As it was given.
    pub(crate) text: String,
    /// Host and port.
    host: String,
    pub(crate) options: Options,
}

/// What can be set for a connection, behind a `?`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// Name of the device.
    pub(crate) device: Option<String>,
    /// Number of its port.
    pub(crate) port: Option<u8>,
    /// Index in the port's table of GIDs.
    pub(crate) gid: Option<u32>,
    /// How often a message is sent again to a receiver that has no buffer; 7 is without end.
    pub(crate) rnr_retry: u8,
    /// How often a message is sent again that was not acknowledged.
    pub(crate) retry: u8,
    /// How long an acknowledgement may take: 4.096 us times two to the power of this.
    pub(crate) timeout: u8,
}

impl Default for Options {
    /// A lost peer is noticed after 7 times 67 ms, which a device may stretch up to fourfold (InfiniBand Architecture Specification,
    /// volume 1, 9.7.6.1.3). Not 7 retries: soft-RoCE takes that for "without end".
    fn default() -> Self {
        Self {
            device: None,
            port: None,
            gid: None,
            rnr_retry: 7,
            retry: 6,
            timeout: 14,
        }
    }
}

/// The options, for messages.
const OPTIONS: &str = "`device`, `port`, `gid`, `rnr_retry`, `retry` and `timeout`";

impl Address {
    /// Takes `host:port?device=mlx5_0&port=1` apart.
    pub(crate) fn of(text: &str) -> Result<Self, AttachError> {
        let config = |what: String| AttachError::Config {
            what: format!("the address `{text}` {what}"),
        };
        let (host, options) = match text.split_once('?') {
            Some((host, options)) => (host, Options::of(options).map_err(config)?),
            None => (text, Options::default()),
        };
        let Some((name, port)) = host.rsplit_once(':') else {
            return Err(config(
                "has no port: it is to be `host:port`, as in `10.0.0.1:7700`".into(),
            ));
        };
        if port.parse::<u16>().is_err() {
            return Err(config(format!(
                "has the port `{port}`: it is to be a number from 0 to 65535, as in `10.0.0.1:7700`"
            )));
        }
        if name.is_empty() {
            return Err(config(
                "has no host: it is to be `host:port`, and `0.0.0.0:7700` for all addresses of this host"
                    .into(),
            ));
        }
        if name.contains(':') && !name.starts_with('[') {
            return Err(config(format!(
                "has an IPv6 address without brackets: write `[{name}]:{port}`"
            )));
        }
        Ok(Self {
            text: text.into(),
            host: host.into(),
            options,
        })
    }

    /// The same with this port.
    pub(crate) fn with_port(self, port: u16) -> Self {
        let host = self
            .host
            .rsplit_once(':')
            .map_or(self.host.as_str(), |(host, _)| host);
        Self {
            host: format!("{host}:{port}"),
            ..self
        }
    }

    /// The addresses of the host.
    pub(crate) fn resolve(&self) -> Result<Vec<SocketAddr>, AttachError> {
        let found = self
            .host
            .to_socket_addrs()
            .map_err(|error| AttachError::System {
                what: format!("looking up the host of `{}`", self.text),
                error: error.to_string(),
            })?;
        Ok(found.collect())
    }
}

impl Options {
    fn of(text: &str) -> Result<Self, String> {
        let mut options = Self::default();
        let mut seen = Vec::new();
        for option in text.split('&') {
            let Some((name, value)) = option.split_once('=') else {
                return Err(format!("has an option without a value: `{option}`"));
            };
            if seen.contains(&name) {
                return Err(format!("has `{name}` twice"));
            }
            seen.push(name);
            match name {
                "device" => options.device = Some(value.into()),
                "port" => options.port = Some(number(name, value, 1, u8::MAX)?),
                "gid" => options.gid = Some(number(name, value, 0, u8::MAX)?.into()),
                "rnr_retry" => options.rnr_retry = number(name, value, 0, 7)?,
                "retry" => options.retry = number(name, value, 0, 7)?,
                "timeout" => options.timeout = number(name, value, 1, 31)?,
                _ => {
                    return Err(format!(
                        "has an unknown option, `{name}`: there are {OPTIONS}"
                    ));
                }
            }
        }
        Ok(options)
    }
}

fn number(name: &str, value: &str, least: u8, most: u8) -> Result<u8, String> {
    match value.parse() {
        Ok(number) if (least..=most).contains(&number) => Ok(number),
        _ => Err(format!(
            "has `{name}={value}`: it must be a number from {least} to {most}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        Address::of(text).expect_err("it is no address").to_string()
    }

    #[test]
    fn options_are_read() {
        let address =
            Address::of("node7:7700?device=mlx5_1&port=2&gid=3&rnr_retry=0&retry=1&timeout=10")
                .expect("it is an address");
        assert_eq!(address.host, "node7:7700");
        assert_eq!(
            address.options,
            Options {
                device: Some("mlx5_1".into()),
                port: Some(2),
                gid: Some(3),
                rnr_retry: 0,
                retry: 1,
                timeout: 10,
            }
        );
        let plain = Address::of("10.0.0.1:1").expect("it is an address");
        assert_eq!(plain.options, Options::default());
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert_eq!(
            refused("10.0.0.1"),
            "the address `10.0.0.1` has no port: it is to be `host:port`, as in `10.0.0.1:7700`"
        );
        assert_eq!(
            refused("a:1?devise=x"),
            format!(
                "the address `a:1?devise=x` has an unknown option, `devise`: there are {OPTIONS}"
            )
        );
        assert_eq!(
            refused("a:1?rnr_retry=8"),
            "the address `a:1?rnr_retry=8` has `rnr_retry=8`: it must be a number from 0 to 7"
        );
        assert_eq!(
            refused("a:1?device"),
            "the address `a:1?device` has an option without a value: `device`"
        );
        assert!(refused("a:70000").contains("has the port `70000`: it is to be a number"));
        assert!(refused("a:1?port=1&port=2").contains("has `port` twice"));
        assert!(refused(":7700").contains("has no host"));
        assert!(refused("::1:7700").contains("write `[::1]:7700`"));
        assert!(Address::of("[::1]:7700").is_ok());
    }

    #[test]
    fn a_port_that_was_chosen_takes_its_place() {
        let address = Address::of("[::1]:0?gid=1").expect("it is an address");
        assert_eq!(address.with_port(7).host, "[::1]:7");
    }

    #[test]
    fn a_host_is_looked_up() {
        let local = Address::of("127.0.0.1:7700").expect("it is an address");
        let found = local.resolve().expect("it needs no name server");
        assert_eq!(found, ["127.0.0.1:7700".parse().expect("as above")]);
    }
}
