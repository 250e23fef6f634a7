//! A part of a change: transitions that belong together become one commit.

use super::records;
use crate::{
    domain::audit::Event,
    ports::store::{Change, Expect, Key, Put, StoreError},
};

/// What must hold, what is written, what is told.
#[derive(Default)]
pub struct Part {
    /// What must hold.
    pub expect: Vec<(Key, Expect)>,
    /// What is written.
    pub puts: Vec<Put>,
    /// What is told.
    pub events: Vec<Event>,
}

impl Part {
    /// Writes over a record that is expected as it was read.
    pub fn write(&mut self, put: Put, expect: Expect) {
        self.expect.push((put.key, expect));
        self.puts.push(put);
    }

    /// The same, told by the request with this number.
    pub fn in_request(mut self, request: Option<&str>) -> Self {
        self.events = self.events.into_iter().map(|event| event.in_request(request)).collect();
        self
    }

    /// Puts another part behind it.
    pub fn add(&mut self, other: Self) {
        self.expect.extend(other.expect);
        self.puts.extend(other.puts);
        self.events.extend(other.events);
    }

    /// Adds it to a change.
    pub fn join(self, change: &mut Change) -> Result<(), StoreError> {
        change.expect.extend(self.expect);
        change.puts.extend(self.puts);
        change.events.extend(records::encode_events(&self.events)?);
        Ok(())
    }

    /// The change with it.
    pub fn into_change(self, mut change: Change) -> Result<Change, StoreError> {
        self.join(&mut change)?;
        Ok(change)
    }
}
