//! What `check` says of a SCIM service.

use serde_json::Value;

use super::{
    Scim,
    known::{Capabilities, LookUp},
    list::{Page, id_of},
    service::Reply,
};
use crate::{
    adapters::finding::{Finding, Level},
    domain::ids::UserId,
    ports::directory::DirectoryError,
};

impl Scim {
    /// Signs in, asks what the server can do and whether it knows the extension, and reads one user. Changes nothing.
    pub async fn inspect(&self) -> Vec<Finding> {
        let can = match self.known.capabilities(&self.service).await {
            Ok(can) => can,
            Err(error) => return vec![Finding::error(error.to_string())],
        };
        let mut findings = vec![self.reading().await];
        // Without rights, everything else says the same again.
        if findings[0].level == Level::Error {
            return findings;
        }
        findings.extend(self.schema().await);
        findings.extend(self.filters().await);
        findings.push(writing(can));
        findings.push(Finding::warning(format!(
            "SCIM can't tell who else may write {}: make sure that nobody but this token may, users themselves included; \
             what others write goes round the audit trail",
            self.attribute.path()
        )));
        findings
    }

    async fn reading(&self) -> Finding {
        let query = [("attributes", "userName"), ("startIndex", "1"), ("count", "1")];
        let page = match self.service.get(&["Users"], &query).await {
            Ok(Reply::Done(answer)) => Page::read(&answer),
            Ok(Reply::Refused(refusal)) => {
                Err(refusal.rejected("it gives no list of users; is BEHALF_SCIM_URL right?"))
            }
            Err(error) => Err(error),
        };
        let first = page.and_then(|page| page.resources.first().map(|user| id_of(user).map(str::to_owned)).transpose());
        let id = match first {
            Ok(Some(id)) => id,
            Ok(None) => return Finding::warning("it has no users, as far as the token may see"),
            Err(error) => return Finding::error(error.to_string()),
        };
        let Ok(id) = UserId::parse(&id) else { return Finding::error("the id of its first user can't be used") };
        match self.resource(&id).await.and_then(|user| user.map(|user| user.into_entry(&self.attribute)).transpose()) {
            Ok(Some(_)) => Finding::good("a user can be read"),
            Ok(None) => Finding::error("its first user is not there when he is read by his id"),
            Err(error) => Finding::error(error.to_string()),
        }
    }

    async fn schema(&self) -> Vec<Finding> {
        let urn = self.attribute.extension();
        let answer = match self.service.get(&["Schemas", urn], &[]).await {
            Ok(Reply::Done(answer)) => answer,
            Ok(Reply::Refused(_)) => {
                return vec![Finding::error(format!(
                    "it does not know the schema {urn}; see DIRECTORIES.md for its text"
                ))];
            }
            Err(error) => return vec![Finding::error(error.to_string()).at(urn)],
        };
        let schema: Result<Value, DirectoryError> = answer.json();
        let found = schema.map(|schema| attribute_of(&schema, self.attribute.name()).cloned());
        match found {
            Ok(Some(definition)) => self.definition(&definition),
            Ok(None) => vec![Finding::error(format!("its schema {urn} has no attribute `{}`", self.attribute.name()))],
            Err(error) => vec![Finding::error(error.to_string()).at(urn)],
        }
    }

    fn definition(&self, definition: &Value) -> Vec<Finding> {
        let path = self.attribute.path();
        let text = |of: &Value, name: &str| of[name].as_str().unwrap_or_default().to_owned();
        let (kind, wanted) = (text(definition, "type"), if self.attribute.is_complex() { "complex" } else { "string" });
        let mut findings = Vec::new();
        if kind != wanted || definition["multiValued"] != true {
            let what = format!("it has to be multi-valued and of type {wanted}, and is not (BEHALF_SCIM_ATTRIBUTE)");
            findings.push(Finding::error(what).at(&path));
        }
        let none = Value::Null;
        let value = if self.attribute.is_complex() {
            attribute_of(&serde_json::json!({"attributes": definition["subAttributes"]}), "value").cloned()
        } else {
            Some(definition.clone())
        };
        let value = value.as_ref().unwrap_or(&none);
        let mutability = text(definition, "mutability");
        if !matches!(mutability.as_str(), "readWrite" | "") {
            findings.push(Finding::error(format!("its mutability is {mutability}: nothing can be written")).at(&path));
        }
        let returned = text(definition, "returned");
        if !matches!(returned.as_str(), "default" | "always" | "") {
            let what = format!("it is returned {returned}: a user has to show it without being asked");
            findings.push(Finding::error(what).at(&path));
        }
        if value["caseExact"] != true {
            let what = "caseExact is not true: ids that differ by case only are taken for one another by the server, \
                        and are kept apart by us";
            findings.push(Finding::warning(what).at(&path));
        }
        if findings.is_empty() {
            findings.push(Finding::good("the schema is as it should be").at(&path));
        }
        findings
    }

    async fn filters(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        for look_up in [LookUp::Logins, LookUp::Delegators] {
            match self.known.page_for(look_up, &self.attribute, &self.service, &*self.entropy).await {
                Ok(_) => {}
                Err(DirectoryError::Rejected(why)) => findings.push(Finding::warning(why)),
                Err(error) => findings.push(Finding::error(error.to_string())),
            }
        }
        if findings.is_empty() {
            findings.push(Finding::good("filters work: by userName, and by agent"));
        }
        findings
    }
}

/// The definition of that name in a schema.
fn attribute_of<'s>(schema: &'s Value, name: &str) -> Option<&'s Value> {
    schema["attributes"].as_array()?.iter().find(|attribute| attribute["name"] == name)
}

fn writing(can: Capabilities) -> Finding {
    match can {
        Capabilities { patch: true, .. } => Finding::good("grants are changed by PATCH of one value (not tried here)"),
        Capabilities { etag: true, .. } => Finding::warning(
            "it has no PATCH: grants are changed by writing the whole user under If-Match, which may clear what the \
             server does not return",
        ),
        _ => Finding::error("it has neither PATCH nor ETags: grants can be read, but not changed"),
    }
}
