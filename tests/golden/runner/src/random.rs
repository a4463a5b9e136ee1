//! Random schemas: their text, their layout computed a second time from the rules alone, and messages of theirs.
//!
//! Nothing here asks the compiler. What it says of the same text is compared with this by the tests.

mod choices;
mod layout;
mod messages;
mod schema;

pub use choices::Choices;
pub use layout::{Laid, Part, Parts};
pub use messages::Message;
pub use schema::{Decl, Direction, Enumeration, Field, Kind, Method, Schema, Ty};
