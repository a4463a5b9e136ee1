//! Why a command ends early, which is also its exit code.

use rpcidl::build::WriteError;

/// The end of a command that did not go well.
#[derive(Debug)]
pub(crate) enum Stop {
    /// Something is wrong in the inputs, and was told: exit code 1.
    Findings,
    /// A file or an argument cannot be used, and was told: exit code 2.
    Unusable,
    /// Wrong use or a failure of the system that is yet to be told: exit code 2.
    Trouble(Trouble),
}

/// What went wrong besides the inputs.
#[derive(Debug)]
pub(crate) struct Trouble {
    /// One line.
    pub(crate) message: String,
    /// What to do.
    pub(crate) help: Option<String>,
}

impl Stop {
    /// Wrong use, or a failure of the system.
    pub(crate) fn trouble(message: impl Into<String>) -> Self {
        Self::Trouble(Trouble {
            message: message.into(),
            help: None,
        })
    }

    /// The same with advice.
    pub(crate) fn advised(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Trouble(Trouble {
            message: message.into(),
            help: Some(help.into()),
        })
    }
}

impl From<WriteError> for Stop {
    fn from(error: WriteError) -> Self {
        Self::advised(error.to_string(), "check the path and its permissions")
    }
}
