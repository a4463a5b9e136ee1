//! The names that this process serves.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use runtime_core::{AbiHash, AttachError, ClientConfig, Service};

use crate::client::Client;
use crate::hub::{Connector, Hub};

struct Entry {
    abi_hash: AbiHash,
    abi_text: &'static str,
    /// A `Connector` of the service.
    connector: Box<dyn Any + Send>,
    server: u64,
}

static NAMES: Mutex<BTreeMap<String, Entry>> = Mutex::new(BTreeMap::new());

/// Gives a name back when dropped.
pub(crate) struct Registration {
    name: String,
    server: u64,
}

/// Gives a server a name.
pub(crate) fn bind<S: Service>(name: &str, hub: &Arc<Hub<S>>) -> Result<Registration, AttachError> {
    if name.is_empty() {
        return Err(AttachError::Config {
            what: "the name is empty: a client has to ask for something".into(),
        });
    }
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    if names.contains_key(name) {
        return Err(AttachError::InUse { name: name.into() });
    }
    let entry = Entry {
        abi_hash: S::ABI_HASH,
        abi_text: S::ABI_TEXT,
        connector: Box::new(Connector::new(hub)),
        server: hub.attendance.server(),
    };
    names.insert(name.into(), entry);
    Ok(Registration {
        name: name.into(),
        server: hub.attendance.server(),
    })
}

/// Connects to the server of that name.
pub(crate) fn connect<S: Service>(
    name: &str,
    config: &ClientConfig,
) -> Result<Client<S>, AttachError> {
    // Unlocked again before it connects: that wakes the server, whose waker may run code that comes back here.
    find::<S>(name)?.connect(config)
}

/// What connects to the server of that name.
fn find<S: Service>(name: &str) -> Result<Connector<S>, AttachError> {
    let names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(entry) = names.get(name) else {
        return Err(AttachError::NotFound { name: name.into() });
    };
    match entry.connector.downcast_ref::<Connector<S>>() {
        Some(connector) => Ok(connector.clone()),
        None if entry.abi_hash == S::ABI_HASH => Err(AttachError::Config {
            what: format!(
                "`{name}` is served by another copy of the same definition in this program; both sides must use one generated module"
            ),
        }),
        None => Err(AttachError::AbiMismatch {
            name: name.into(),
            ours: S::ABI_HASH,
            theirs: entry.abi_hash,
            difference: runtime_core::first_difference(S::ABI_TEXT, entry.abi_text),
        }),
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let entry = {
            let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
            match names.get(&self.name) {
                Some(entry) if entry.server == self.server => names.remove(&self.name),
                _ => None,
            }
        };
        // Unlocked: dropping the connector wakes the server, whose waker may run code that comes back here.
        drop(entry);
    }
}
