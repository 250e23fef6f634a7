//! What is wrong with a configuration, all of it at once.

use std::fmt;

use super::lines::Lines;

/// One mistake: where, what, and what to do about it. Holds no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The file and the line, of what stands in the configuration's file.
    pub line: Option<String>,
    /// The variable and the TOML key, or the place in a file.
    pub place: String,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub remedy: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = &self.line {
            write!(f, "{line}: ")?;
        }
        write!(f, "{}: {}; {}", self.place, self.what, self.remedy)
    }
}

/// Every mistake of a configuration, one per line when displayed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Mistakes(Vec<Mistake>);

impl Mistakes {
    /// The mistakes in the order found.
    pub fn iter(&self) -> std::slice::Iter<'_, Mistake> {
        self.0.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'m> IntoIterator for &'m Mistakes {
    type Item = &'m Mistake;
    type IntoIter = std::slice::Iter<'m, Mistake>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, mistake) in self.0.iter().enumerate() {
            if at > 0 {
                writeln!(f)?;
            }
            write!(f, "{mistake}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Mistakes {}

/// What a parser of one value says against it; where it stood is the reader's knowledge.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) what: String,
    pub(super) remedy: String,
}

/// Makes a [`Fault`].
pub(super) fn fault(what: impl Into<String>, remedy: impl Into<String>) -> Fault {
    Fault { what: what.into(), remedy: remedy.into() }
}

/// A value that couldn't be read; the mistake is already on the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Recorded;

/// A value, or a mistake that is already on the list.
pub(super) type Read<T> = Result<T, Recorded>;

/// What loading found out besides the values.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) mistakes: Mistakes,
    pub(super) warnings: Vec<String>,
    /// Where the keys of the file stand.
    pub(super) lines: Lines,
}

impl Findings {
    /// Puts a mistake on the list.
    pub(super) fn mistake(&mut self, place: impl Into<String>, fault: Fault) -> Recorded {
        self.add(None, place.into(), fault)
    }

    /// Puts a mistake about a key of the file on the list.
    pub(super) fn mistake_at(&mut self, key: &str, place: impl Into<String>, fault: Fault) -> Recorded {
        self.add(self.lines.find(key), place.into(), fault)
    }

    fn add(&mut self, line: Option<String>, place: String, fault: Fault) -> Recorded {
        let Fault { what, remedy } = fault;
        self.mistakes.0.push(Mistake { line, place, what, remedy });
        Recorded
    }
}
