//! Finds a setting in the sources: environment over file over default. Mistakes go to the list, reading goes on.

use std::{
    fs,
    path::{Path, PathBuf},
};

use secrecy::SecretString;
use serde_json::Value;

use super::{
    key_file,
    mistakes::{Fault, Findings, Read, Recorded, fault},
    parse,
    settings::{Scope, Setting},
    source::Sources,
};
use crate::domain::ids::TenantName;

/// Where a setting's value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    Environment,
    File,
    Default,
}

/// Reads settings of the process, or of one tenant.
pub(super) struct Reader<'r> {
    pub(super) sources: &'r Sources,
    pub(super) found: &'r mut Findings,
    tenant: TenantName,
}

enum Raw {
    One(String),
    Many(Vec<String>),
}

impl<'r> Reader<'r> {
    /// A reader of the process's settings, and of the tenant `default`.
    pub(super) fn new(sources: &'r Sources, found: &'r mut Findings) -> Self {
        Self::of(TenantName::default_tenant(), sources, found)
    }

    /// A reader of a tenant's settings.
    pub(super) fn of(tenant: TenantName, sources: &'r Sources, found: &'r mut Findings) -> Self {
        Self { sources, found, tenant }
    }

    /// Where it comes from.
    pub(super) fn origin(&self, setting: &Setting) -> Origin {
        if self.by_variable(setting) && !self.sources.variables(setting).is_empty() {
            return Origin::Environment;
        }
        let key = setting.full_key(self.tenant.as_str());
        let in_file = !key.is_empty()
            && (self.sources.in_file(&key).is_some()
                || (setting.secret && self.sources.in_file(&format!("{key}_file")).is_some()));
        if in_file { Origin::File } else { Origin::Default }
    }

    /// True if it is given at all.
    pub(super) fn is_given(&self, setting: &Setting) -> bool {
        self.origin(setting) != Origin::Default
    }

    /// True if it is given by its name of Okta Managed Access.
    pub(super) fn by_old_name(&self, setting: &Setting) -> bool {
        let old = |name: &str| setting.old.is_some_and(|old| name.trim_end_matches("_FILE") == old);
        self.by_variable(setting) && self.sources.variables(setting).iter().any(|(name, _)| old(name))
    }

    /// Its value or its default; a setting with neither is a mistake.
    pub(super) fn value<T>(&mut self, setting: &Setting, parse: impl Fn(&str) -> Result<T, Fault>) -> Read<T> {
        match self.optional(setting, parse)? {
            Some(value) => Ok(value),
            None => Err(self.wrong(setting, fault("is missing", "give it a value"))),
        }
    }

    /// Its value or its default; `None` if it has neither.
    pub(super) fn optional<T>(
        &mut self,
        setting: &Setting,
        parse: impl Fn(&str) -> Result<T, Fault>,
    ) -> Read<Option<T>> {
        let text = match self.given(setting)? {
            Some(Raw::One(text)) => text,
            Some(Raw::Many(_)) => return Err(self.wrong(setting, fault("is a list", "give one value"))),
            None if setting.default.is_empty() => return Ok(None),
            None => setting.default.to_owned(),
        };
        parse(&text).map(Some).map_err(|fault| self.wrong(setting, fault))
    }

    /// Its values: a list in the file, separated by spaces or commas in a variable. Not given: none.
    pub(super) fn list<T>(&mut self, setting: &Setting, parse: impl Fn(&str) -> Result<T, Fault>) -> Read<Vec<T>> {
        let items = match self.given(setting)? {
            None => return Ok(Vec::new()),
            Some(Raw::Many(items)) => items,
            Some(Raw::One(text)) => {
                let separate = |c: char| c.is_whitespace() || c == ',';
                text.split(separate).filter(|item| !item.is_empty()).map(str::to_owned).collect()
            }
        };
        let read: Vec<Read<T>> =
            items.iter().map(|item| parse(item).map_err(|fault| self.wrong(setting, fault))).collect();
        read.into_iter().collect()
    }

    /// A secret that travels in an HTTP header.
    pub(super) fn secret(&mut self, setting: &Setting) -> Read<Option<SecretString>> {
        let header_value = |text: &str| {
            let printable = text.bytes().all(|b| (0x20..0x7f).contains(&b));
            if text.is_empty() || !printable || text.trim() != text {
                // Never the value itself.
                let what = "can't be the value of an HTTP header";
                return Err(fault(what, "use printable ASCII without a space at either end"));
            }
            Ok(SecretString::from(text))
        };
        self.optional(setting, header_value)
    }

    /// A file that must be there and readable.
    pub(super) fn existing_file(&mut self, setting: &Setting) -> Read<Option<PathBuf>> {
        let Some(path) = self.optional(setting, parse::text)? else { return Ok(None) };
        let path = self.sources.dir.join(path);
        match fs::File::open(&path).and_then(|file| file.metadata()) {
            Ok(meta) if meta.is_file() => Ok(Some(path)),
            Ok(_) => Err(self.wrong(setting, fault(format!("`{}` is no file", path.display()), "name a file"))),
            Err(e) => {
                let what = format!("`{}` can't be read ({e})", path.display());
                Err(self.wrong(setting, fault(what, "name a file that is there and readable")))
            }
        }
    }

    /// Puts a mistake about `setting` on the list.
    pub(super) fn wrong(&mut self, setting: &Setting, fault: Fault) -> Recorded {
        let place = self.place(setting);
        match self.origin(setting) {
            Origin::File => self.found.mistake_at(&self.key_in_file(setting), place, fault),
            Origin::Environment | Origin::Default => self.found.mistake(place, fault),
        }
    }

    /// `NAME (key …)`, as far as the setting has both here.
    pub(super) fn place(&self, setting: &Setting) -> String {
        let key = setting.full_key(self.tenant.as_str());
        if !self.by_variable(setting) {
            return format!("key `{key}`");
        }
        let old = setting.old.map(|old| format!(" or {old}")).unwrap_or_default();
        let key = if key.is_empty() { key } else { format!(" (key `{key}`)") };
        format!("{}{old}{key}", setting.env)
    }

    /// The key by which the file gives it.
    fn key_in_file(&self, setting: &Setting) -> String {
        let key = setting.full_key(self.tenant.as_str());
        if self.sources.in_file(&key).is_some() { key } else { format!("{key}_file") }
    }

    fn by_variable(&self, setting: &Setting) -> bool {
        setting.scope == Scope::Process || self.tenant == TenantName::default_tenant()
    }

    fn given(&mut self, setting: &Setting) -> Read<Option<Raw>> {
        if self.by_variable(setting)
            && let Some(text) = self.in_environment(setting)?
        {
            return Ok(Some(Raw::One(text)));
        }
        self.in_file(setting)
    }

    fn in_environment(&mut self, setting: &Setting) -> Read<Option<String>> {
        let given = self.sources.variables(setting);
        let [(name, is_file)] = given.as_slice() else {
            if given.is_empty() {
                return Ok(None);
            }
            let names: Vec<_> = given.iter().map(|(name, _)| name.as_str()).collect();
            return Err(self.wrong(setting, fault(format!("{} are all set", names.join(", ")), "keep one of them")));
        };
        match self.sources.vars.get(name) {
            Some(path) if *is_file => self.file_content(setting, name, path).map(Some),
            value => Ok(value.cloned()),
        }
    }

    fn in_file(&mut self, setting: &Setting) -> Read<Option<Raw>> {
        let key = setting.full_key(self.tenant.as_str());
        if key.is_empty() {
            return Ok(None);
        }
        let value = self.sources.in_file(&key);
        let file = self.sources.in_file(&format!("{key}_file")).filter(|_| setting.secret);
        match (value, file) {
            (Some(_), Some(_)) => {
                let last = key.rsplit('.').next().unwrap_or_default();
                let what = format!("`{last}` and `{last}_file` are both given");
                Err(self.wrong(setting, fault(what, "keep one of them")))
            }
            (None, None) => Ok(None),
            (Some(value), None) => self.raw(setting, value).map(Some),
            (None, Some(path)) => {
                let Value::String(path) = path else {
                    return Err(self.wrong(setting, fault("the file's name is not text", "give a path in quotes")));
                };
                self.file_content(setting, &format!("{key}_file"), path).map(|text| Some(Raw::One(text)))
            }
        }
    }

    fn raw(&mut self, setting: &Setting, value: &Value) -> Read<Raw> {
        let read = match value {
            Value::Array(items) => items.iter().map(scalar).collect::<Option<_>>().map(Raw::Many),
            single => scalar(single).map(Raw::One),
        };
        read.ok_or_else(|| {
            self.wrong(setting, fault("has the wrong type", "give a text, a number, or a list of texts"))
        })
    }

    /// `by` names the file.
    fn file_content(&mut self, setting: &Setting, by: &str, path: &str) -> Read<String> {
        let path: &Path = &self.sources.dir.join(path);
        match fs::read_to_string(path) {
            Ok(text) => {
                warn_if_open(&self.place(setting), path, self.found);
                Ok(text.trim_end_matches(['\r', '\n']).to_owned())
            }
            Err(e) => {
                let what = format!("`{by}`: the file `{}` can't be read ({e})", path.display());
                Err(self.wrong(setting, fault(what, "name a text file that is there and readable")))
            }
        }
    }
}

/// A secret that others of the machine may read or replace is worth a word. `place` names who wants the file.
pub(super) fn warn_if_open(place: &str, path: &Path, found: &mut Findings) {
    if let Some(warning) = key_file::open_to_others(path) {
        found.warnings.push(format!("{place}: {warning}"));
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}
