//! Strict reading of a table in the file: every key is asked for by name, and what nobody asked for is a mistake.

use serde_json::{Map, Value};

use super::mistakes::{Fault, Findings, Read, Recorded, fault};

/// One table.
pub(super) struct Table<'v, 'f> {
    /// Its key in the file.
    path: String,
    /// How mistakes name it.
    place: String,
    map: &'v Map<String, Value>,
    asked: Vec<&'static str>,
    found: &'f mut Findings,
}

impl<'v, 'f> Table<'v, 'f> {
    /// `path` is its key in the file, by which mistakes name it, too.
    pub(super) fn new(path: String, value: &'v Value, found: &'f mut Findings) -> Read<Self> {
        Self::at(path.clone(), path, value, found)
    }

    fn at(path: String, place: String, value: &'v Value, found: &'f mut Findings) -> Read<Self> {
        match value {
            Value::Object(map) => Ok(Self { path, place, map, asked: Vec::new(), found }),
            _ => Err(found.mistake_at(&path, place, fault("is not a table", "write it as a table"))),
        }
    }

    /// Has mistakes name it differently from now on.
    pub(super) fn rename(&mut self, place: String) {
        self.place = place;
    }

    /// The table under `key`.
    pub(super) fn inner<'s>(&'s mut self, key: &'static str) -> Read<Option<Table<'v, 's>>> {
        match self.ask(key) {
            None => Ok(None),
            Some(value) => {
                let (path, place) = (format!("{}.{key}", self.path), format!("{}.{key}", self.place));
                Table::at(path, place, value, self.found).map(Some)
            }
        }
    }

    /// True if the key is there. It counts as asked for.
    pub(super) fn has(&mut self, key: &'static str) -> bool {
        self.ask(key).is_some()
    }

    /// The text under `key`.
    pub(super) fn text<T>(&mut self, key: &'static str, parse: impl Fn(&str) -> Result<T, Fault>) -> Read<Option<T>> {
        match self.ask(key) {
            None => Ok(None),
            Some(Value::String(text)) => parse(text).map(Some).map_err(|fault| self.wrong(key, fault)),
            Some(_) => Err(self.wrong(key, fault("is not text", "put it in quotes"))),
        }
    }

    /// The list of texts under `key`.
    pub(super) fn texts<T>(
        &mut self,
        key: &'static str,
        parse: impl Fn(&str) -> Result<T, Fault>,
    ) -> Read<Option<Vec<T>>> {
        let Some(value) = self.ask(key) else { return Ok(None) };
        let Value::Array(items) = value else {
            return Err(self.wrong(key, fault("is not a list", "write it as `[\"…\"]`")));
        };
        let read: Vec<Read<T>> = items
            .iter()
            .map(|item| match item {
                Value::String(text) => parse(text).map_err(|fault| self.wrong(key, fault)),
                _ => Err(self.wrong(key, fault("holds what is not text", "put every item in quotes"))),
            })
            .collect();
        read.into_iter().collect::<Read<Vec<T>>>().map(Some)
    }

    /// The whole number under `key`, from `least` to `most`.
    pub(super) fn number(&mut self, key: &'static str, least: u64, most: u64) -> Read<Option<u64>> {
        match self.ask(key) {
            None => Ok(None),
            Some(value) => match value.as_u64() {
                Some(number) if (least..=most).contains(&number) => Ok(Some(number)),
                _ => {
                    let remedy = format!("give a whole number from {least} to {most}");
                    Err(self.wrong(key, fault(format!("`{value}` doesn't fit"), remedy)))
                }
            },
        }
    }

    /// `true` or `false` under `key`.
    pub(super) fn flag(&mut self, key: &'static str) -> Read<Option<bool>> {
        match self.ask(key) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(_) => Err(self.wrong(key, fault("is neither true nor false", "write `true` or `false`"))),
        }
    }

    /// Puts a mistake about `key` on the list.
    pub(super) fn wrong(&mut self, key: &str, fault: Fault) -> Recorded {
        self.found.mistake_at(&format!("{}.{key}", self.path), format!("{}, key `{key}`", self.place), fault)
    }

    /// A mistake for a required key that isn't there.
    pub(super) fn required<T>(&mut self, key: &str, value: Read<Option<T>>) -> Read<T> {
        match value? {
            Some(value) => Ok(value),
            None => Err(self.wrong(key, fault("is missing", "give it"))),
        }
    }

    /// Puts every key that nobody asked for on the list, and is done.
    pub(super) fn finish(mut self) -> Read<()> {
        self.unknown()
    }

    /// Puts every key that nobody asked for on the list.
    pub(super) fn unknown(&mut self) -> Read<()> {
        let map = self.map;
        let unknown: Vec<&String> = map.keys().filter(|key| !self.asked.contains(&key.as_str())).collect();
        let remedy = format!("known are {}", self.asked.join(", "));
        for key in &unknown {
            self.wrong(key, fault("is unknown", remedy.clone()));
        }
        if unknown.is_empty() { Ok(()) } else { Err(Recorded) }
    }

    fn ask(&mut self, key: &'static str) -> Option<&'v Value> {
        if !self.asked.contains(&key) {
            self.asked.push(key);
        }
        self.map.get(key)
    }
}
