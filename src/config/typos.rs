//! Variables and keys that no setting answers to. A typo must not pass as a default.

use serde_json::{Map, Value};

use super::{
    mistakes::{Findings, fault},
    settings::{self, Scope, Setting},
    source::Sources,
    tenant,
};

/// Read by parsers of their own.
const TABLES: &[&str] = &["rules", "notify", tenant::SHARED_ACCOUNTS, tenant::APPLICATIONS];

/// Puts every unknown variable and key on the list.
pub(super) fn report(sources: &Sources, found: &mut Findings) {
    unknown_variables(sources, found);
    let mut process: Vec<String> = keys(Scope::Process);
    process.push("tenants".to_owned());
    walk("", "", &sources.file, &process, found);
    let Some(Value::Object(tenants)) = sources.file.get("tenants") else { return };
    let mut known = keys(Scope::Tenant);
    known.extend(TABLES.iter().map(|table| (*table).to_owned()));
    for (name, tenant) in tenants {
        if let Value::Object(tenant) = tenant {
            walk(&format!("tenants.{name}."), "", tenant, &known, found);
        }
    }
}

fn unknown_variables(sources: &Sources, found: &mut Findings) {
    let known: Vec<String> = settings::all().flat_map(Setting::variables).map(|(name, _)| name).collect();
    for (name, value) in &sources.vars {
        // Variables of the tests, and those that Kubernetes sets for a Service called `behalf…`.
        let foreign = name.starts_with("BEHALF_TEST_") || is_service_link(name, value);
        if !foreign && !known.contains(name) {
            found.mistake(name.clone(), fault("is no setting", hint(name, &known, "unset it")));
        }
    }
}

/// True for what Kubernetes puts into every container for a Service (and Docker for a link): `X_SERVICE_HOST`,
/// `X_SERVICE_PORT[_NAME]`, `X_PORT=tcp://…`, `X_PORT_<n>_TCP[_PROTO|_PORT|_ADDR]`.
fn is_service_link(name: &str, value: &str) -> bool {
    if name.ends_with("_SERVICE_HOST") || name.ends_with("_SERVICE_PORT") || name.contains("_SERVICE_PORT_") {
        return true;
    }
    if name.ends_with("_PORT") && value.contains("://") {
        return true;
    }
    let Some((_, rest)) = name.split_once("_PORT_") else { return false };
    let (port, protocol) = rest.split_once('_').unwrap_or((rest, ""));
    let protocol = protocol.split('_').next().unwrap_or_default();
    !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) && matches!(protocol, "TCP" | "UDP" | "SCTP")
}

fn keys(scope: Scope) -> Vec<String> {
    let of_scope = settings::all().filter(|s| s.scope == scope && !s.key.is_empty());
    of_scope.flat_map(|s| [Some(s.key.to_owned()), s.secret.then(|| format!("{}_file", s.key))]).flatten().collect()
}

fn walk(prefix: &str, path: &str, table: &Map<String, Value>, known: &[String], found: &mut Findings) {
    for (name, value) in table {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        if known.contains(&path) {
            continue;
        }
        let place = format!("key `{prefix}{path}`");
        let inner = format!("{path}.");
        let is_table = known.iter().any(|key| key.starts_with(&inner));
        match value {
            Value::Object(inside) if is_table => walk(prefix, &path, inside, known, found),
            _ if is_table => {
                let remedy = format!("write it as `[{prefix}{path}]`");
                found.mistake_at(&format!("{prefix}{path}"), place, fault("is not a table", remedy));
            }
            _ => {
                let hint = hint(&path, known, "remove it");
                found.mistake_at(&format!("{prefix}{path}"), place, fault("is no setting", hint));
            }
        }
    }
}

fn hint(name: &str, known: &[String], otherwise: &str) -> String {
    let tables = known.iter().flat_map(|k| k.match_indices('.').map(|(dot, _)| &k[..dot]));
    let nearest = known.iter().map(String::as_str).chain(tables).map(|k| (distance(name, k), k)).min();
    match nearest {
        Some((away, k)) if away <= 2 + name.len() / 8 => format!("did you mean `{k}`? Else {otherwise}"),
        _ => otherwise.to_owned(),
    }
}

/// Levenshtein's distance, in bytes.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, y) in row.iter_mut().skip(1).zip(b.bytes()) {
            let best = (diagonal + usize::from(x != y)).min(*cell + 1).min(left + 1);
            diagonal = std::mem::replace(cell, best);
            left = best;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_is_levenshteins() {
        for (a, b, away) in
            [("", "", 0), ("", "abc", 3), ("abc", "", 3), ("kitten", "sitting", 3), ("issuer", "isuer", 1)]
        {
            assert_eq!(distance(a, b), away, "{a} {b}");
        }
    }

    #[test]
    fn service_links_of_kubernetes_are_told_from_settings() {
        for (name, value) in [
            ("BEHALF_SERVICE_HOST", "10.0.0.1"),
            ("BEHALF_SERVICE_PORT", "8080"),
            ("BEHALF_SERVICE_PORT_HTTP", "8080"),
            ("BEHALF_REDIS_PORT", "tcp://10.0.0.2:6379"),
            ("BEHALF_PORT_8080_TCP", "tcp://10.0.0.1:8080"),
            ("BEHALF_PORT_8080_TCP_ADDR", "10.0.0.1"),
        ] {
            assert!(is_service_link(name, value), "{name}");
        }
        for (name, value) in [("BEHALF_PORT", "8080"), ("BEHALF_ISUER", "tcp://x"), ("BEHALF_PORT_X_TCP", "")] {
            assert!(!is_service_link(name, value), "{name}");
        }
        for setting in settings::all() {
            assert!(!is_service_link(setting.env, "x"), "{} looks like a service link", setting.env);
        }
    }
}
