//! The fields of Okta's payload that are read; all others are passed over.

use std::{borrow::Cow, fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, Visitor, value::MapAccessDeserializer},
};

/// A text, borrowed where it has no escapes. (An `Option<Cow<str>>` by itself would always be copied.)
#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct Text<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

/// A JSON object, and only that: derived structs would take an array too, by position.
pub(super) struct Object<T>(pub(super) T);

/// The content of an object that may be missing.
pub(super) fn opened<T: Default>(object: Option<Object<T>>) -> T {
    object.map(|Object(content)| content).unwrap_or_default()
}

/// The text of a field that may be missing.
pub(super) fn text(field: Option<Text<'_>>) -> Option<Cow<'_, str>> {
    field.map(|Text(text)| text)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Envelope<'a> {
    #[serde(borrow)]
    pub(super) event_type: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) event_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) data: Option<Object<Data<'a>>>,
}

#[derive(Deserialize, Default)]
pub(super) struct Data<'a> {
    #[serde(borrow)]
    pub(super) context: Option<Object<Context<'a>>>,
    #[serde(borrow)]
    pub(super) access: Option<Object<Access<'a>>>,
    #[serde(borrow)]
    pub(super) identity: Option<Object<Identity<'a>>>,
}

#[derive(Deserialize, Default)]
pub(super) struct Context<'a> {
    #[serde(borrow)]
    pub(super) request: Option<Object<HttpRequest<'a>>>,
    #[serde(borrow)]
    pub(super) protocol: Option<Object<Protocol<'a>>>,
    #[serde(borrow)]
    pub(super) user: Option<Object<User<'a>>>,
}

#[derive(Deserialize, Default)]
pub(super) struct HttpRequest<'a> {
    #[serde(borrow)]
    pub(super) url: Option<Object<Url<'a>>>,
}

#[derive(Deserialize, Default)]
pub(super) struct Url<'a> {
    #[serde(borrow)]
    pub(super) value: Option<Text<'a>>,
}

#[derive(Deserialize, Default)]
pub(super) struct Protocol<'a> {
    #[serde(borrow)]
    pub(super) request: Option<Object<Asked<'a>>>,
    /// As payloads have it.
    #[serde(borrow, rename = "originalGrant")]
    pub(super) original_grant: Option<Object<OriginalGrant<'a>>>,
    /// As Okta's API description has it.
    #[serde(borrow, rename = "OriginalGrant")]
    pub(super) original_grant_capital: Option<Object<OriginalGrant<'a>>>,
    #[serde(borrow)]
    pub(super) issuer: Option<Object<Issuer<'a>>>,
    #[serde(borrow)]
    pub(super) client: Option<Object<Client<'a>>>,
}

#[derive(Deserialize, Default)]
pub(super) struct Asked<'a> {
    #[serde(borrow)]
    pub(super) state: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) grant_type: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) response_type: Option<Text<'a>>,
}

#[derive(Deserialize, Default)]
pub(super) struct OriginalGrant<'a> {
    #[serde(borrow)]
    pub(super) authorization: Option<Object<OriginalRequest<'a>>>,
}

#[derive(Deserialize, Default)]
pub(super) struct OriginalRequest<'a> {
    #[serde(borrow)]
    pub(super) state: Option<Text<'a>>,
}

#[derive(Deserialize, Default)]
pub(super) struct Issuer<'a> {
    #[serde(borrow)]
    pub(super) uri: Option<Text<'a>>,
}

#[derive(Deserialize, Default)]
pub(super) struct Client<'a> {
    #[serde(borrow)]
    pub(super) id: Option<Text<'a>>,
}

#[derive(Deserialize, Default)]
pub(super) struct User<'a> {
    #[serde(borrow)]
    pub(super) id: Option<Text<'a>>,
}

/// The same body, for whom only its session counts.
#[derive(Deserialize)]
pub(super) struct WithSession<'a> {
    #[serde(borrow)]
    pub(super) data: Option<Object<SessionData<'a>>>,
}

#[derive(Deserialize, Default)]
pub(super) struct SessionData<'a> {
    #[serde(borrow)]
    pub(super) context: Option<Object<SessionContext<'a>>>,
}

#[derive(Deserialize, Default)]
pub(super) struct SessionContext<'a> {
    #[serde(borrow)]
    pub(super) session: Option<Object<Session<'a>>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
pub(super) struct Session<'a> {
    #[serde(borrow)]
    pub(super) user_id: Option<Text<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Access<'a> {
    #[serde(borrow)]
    pub(super) claims: Option<Claims<'a>>,
    pub(super) token: Option<Object<Minting>>,
    pub(super) lifetime: Option<Object<Lifetime>>,
    #[serde(borrow)]
    pub(super) scopes: Option<Members<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Identity<'a> {
    #[serde(borrow)]
    pub(super) claims: Option<Claims<'a>>,
    pub(super) token: Option<Object<Minting>>,
    pub(super) lifetime: Option<Object<Lifetime>>,
}

#[derive(Deserialize, Default)]
pub(super) struct Minting {
    pub(super) lifetime: Option<Object<Lifetime>>,
}

#[derive(Deserialize, Default)]
pub(super) struct Lifetime {
    pub(super) expiration: Option<u64>,
}

/// Names of an object's members, whatever their values.
pub(super) struct Members<'a>(pub(super) Vec<Cow<'a, str>>);

/// Names of a token's claims. One that is null is left out: `add` fits it whether Okta counts it or not.
#[derive(Default)]
pub(super) struct Claims<'a>(pub(super) Vec<Cow<'a, str>>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
            type Value = T;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map))
            }
        }
        deserializer.deserialize_map(Fields(PhantomData)).map(Self)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Names { nulls: true }).map(Self)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Claims<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Names { nulls: false }).map(Self)
    }
}

/// Collects names, those with the value null on request.
struct Names {
    nulls: bool,
}

impl<'de> Visitor<'de> for Names {
    type Value = Vec<Cow<'de, str>>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut names = Vec::new();
        while let Some((Text(name), value)) = map.next_entry::<Text<'de>, Option<IgnoredAny>>()? {
            if self.nulls || value.is_some() {
                names.push(name);
            }
        }
        Ok(names)
    }
}
