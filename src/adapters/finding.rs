//! What `check` has to say about a dependency.

use std::fmt::Display;

/// How grave a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// As it should be, or merely worth knowing.
    Good,
    /// It works; something can be lost, or somebody can do more than he should.
    Warning,
    /// It doesn't work, or a wrong answer could come of it.
    Error,
}

/// A sentence about a dependency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How grave it is.
    pub level: Level,
    /// What it is, and what to do.
    pub text: String,
}

impl Finding {
    /// As it should be.
    pub fn good(text: impl Into<String>) -> Self {
        Self { level: Level::Good, text: text.into() }
    }

    /// It works, but.
    pub fn warning(text: impl Into<String>) -> Self {
        Self { level: Level::Warning, text: text.into() }
    }

    /// It doesn't.
    pub fn error(text: impl Into<String>) -> Self {
        Self { level: Level::Error, text: text.into() }
    }

    /// The same, naming the place it is about.
    #[must_use]
    pub fn at(self, place: impl Display) -> Self {
        Self { text: format!("{place}: {}", self.text), ..self }
    }
}
