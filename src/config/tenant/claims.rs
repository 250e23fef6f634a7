//! How delegated tokens look. What the dialect reserves is for the dialect to refuse.

use crate::{
    config::{
        mistakes::{Fault, Read, fault},
        parse,
        reader::Reader,
        settings::{self, Setting},
    },
    domain::claims::{ClaimNames, ClaimsPolicy, MappedClaim, MissingAttributes},
};

pub(super) fn claims(r: &mut Reader<'_>) -> Read<ClaimsPolicy> {
    let names = claim_names(r);
    let subject = r.value(&settings::SUBJECT, parse::word);
    let access = mapped(r, &settings::ACCESS_CLAIMS, names.as_ref().ok());
    let identity = mapped(r, &settings::IDENTITY_CLAIMS, names.as_ref().ok());
    let missing = r.value(
        &settings::MISSING,
        parse::choice(&[("remove", MissingAttributes::Remove), ("keep", MissingAttributes::Keep)]),
    );
    // `None` is the login itself, whatever the profile calls `login`.
    let subject_attribute = Some(subject?).filter(|name| name != settings::SUBJECT.default);
    Ok(ClaimsPolicy { names: names?, subject_attribute, access: access?, identity: identity?, missing: missing? })
}

fn claim_names(r: &mut Reader<'_>) -> Read<ClaimNames> {
    let on_behalf = r.value(&settings::ON_BEHALF, parse::word);
    let on_behalf_sub = r.value(&settings::ON_BEHALF_SUB, parse::word);
    let can_delegate = r.value(&settings::CAN_DELEGATE, parse::word);
    let reserved_by = r.value(&settings::RESERVED_BY, parse::word);
    let names = ClaimNames {
        on_behalf: on_behalf?,
        on_behalf_sub: on_behalf_sub?,
        can_delegate: can_delegate?,
        reserved_by: Some(reserved_by?),
    };
    if names.on_behalf == names.on_behalf_sub {
        return Err(r.wrong(&settings::ON_BEHALF_SUB, fault("is the name of another claim too", "give each its own")));
    }
    if [&names.on_behalf, &names.on_behalf_sub].contains(&&names.can_delegate) {
        return Err(r.wrong(&settings::CAN_DELEGATE, fault("is the name of another claim too", "give each its own")));
    }
    let others = [&names.on_behalf, &names.on_behalf_sub, &names.can_delegate];
    if names.reserved_by.as_ref().is_some_and(|name| others.contains(&name)) {
        return Err(r.wrong(&settings::RESERVED_BY, fault("is the name of another claim too", "give each its own")));
    }
    Ok(names)
}

fn mapped(r: &mut Reader<'_>, setting: &Setting, names: Option<&ClaimNames>) -> Read<Vec<MappedClaim>> {
    let parse = |text: &str| -> Result<MappedClaim, Fault> {
        MappedClaim::parse(text).map_err(|what| fault(what, "name the attributes, such as `email department=dept`"))
    };
    let claims = r.list(setting, parse)?;
    for (at, MappedClaim { claim, .. }) in claims.iter().enumerate() {
        let ours = names.is_some_and(|n| n.own().any(|own| own == claim));
        if ours {
            let what = format!("`{claim}` is a claim that behalf sets itself");
            return Err(r.wrong(setting, fault(what, "take it out, or rename it with `attribute=claim`")));
        }
        if claims.iter().take(at).any(|before| before.claim == *claim) {
            return Err(r.wrong(setting, fault(format!("two attributes become the claim `{claim}`"), "keep one")));
        }
    }
    Ok(claims)
}
