//! Signing a decision: the challenge, the signature, and the evidence that is left.

use actix_web::{HttpResponse, get, post, web};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::ApprovalPath;
use crate::{
    app::approvals::{self, How, Issued, Signature},
    domain::{
        approval::{Choice, signature::meaning},
        bytes,
    },
    web::{
        error::ApiError,
        extract::{Json, Reader, Then, Writer, free_text},
        problem::{BodyProblems, CallerProblems, Problem},
        state::AppState,
    },
};

/// The most characters of a typed name, and of the sentence.
const TYPED: usize = 200;

/// The answer to a challenge.
#[derive(Deserialize, ToSchema)]
#[serde(tag = "level", rename_all = "snake_case", deny_unknown_fields)]
pub enum SignatureRequest {
    /// With an access token whose `auth_time` is at most five minutes ago.
    Typed {
        /// The challenge's.
        #[schema(max_length = 43)]
        nonce: String,
        /// Your full name, as the directory has it.
        #[schema(max_length = 200)]
        name: String,
        /// The challenge's `meaning`.
        #[schema(max_length = 200)]
        meaning: String,
    },
    /// By a registered key.
    Jws {
        /// The challenge's.
        #[schema(max_length = 43)]
        nonce: String,
        /// Detached JWS (RFC 7515, appendix F) over the challenge's `statement`; its header has `alg`, `kid` and `typ`
        /// `approval+jws`, and nothing else.
        #[schema(max_length = 8192)]
        jws: String,
    },
}

/// Within its bounds.
pub(super) fn signature(given: SignatureRequest) -> Result<Signature, ApiError> {
    Ok(match given {
        SignatureRequest::Jws { nonce, jws } => Signature { nonce, how: How::Jws(jws) },
        SignatureRequest::Typed { nonce, name, meaning } => {
            let name = free_text("name", Some(name), TYPED)?.unwrap_or_default();
            let meaning = free_text("meaning", Some(meaning), TYPED)?.unwrap_or_default();
            Signature { nonce, how: How::Typed { name, meaning } }
        }
    })
}

/// For which decision.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"decision": "approve"}))]
pub struct ChallengeRequest {
    /// `approve` or `deny`.
    #[schema(value_type = String, pattern = "^(approve|deny)$", example = "approve")]
    decision: Choice,
}

/// What a signature begins with.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "nonce": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", "challenge": "VHpN-eknA7QIwfNuj8hdaSTGVS29P3FCjHXfUS6-z_s",
    "decision": "approve", "version": 1,
    "digest": "sha256:dc29c9f9faa6feb5872e5a5805bda9401a5d5a715c091e5c9e31f9269c8cf779",
    "binding": "{\"action\":\"delegation.grant\",…}", "statement": "{\"approver\":\"00u1eve\",…}",
    "meaning": "I reviewed and approve this delegated access", "expires_at": "2026-11-21T10:05:00Z"}))]
pub struct ChallengeItem {
    /// Goes with the vote. Good once, for you, this decision and this version of this request.
    nonce: String,
    /// SHA-256 over the decision, the nonce and the digest.
    challenge: String,
    /// `approve` or `deny`.
    decision: &'static str,
    /// The version of the request, which the vote names.
    version: u32,
    /// The digest of the request.
    digest: String,
    /// The request in canonical JSON (RFC 8785): what you decide about, to the byte. Its SHA-256 is the digest.
    binding: String,
    /// What a key signs, to the byte: canonical JSON.
    statement: String,
    /// The sentence that a typed signature agrees to.
    meaning: &'static str,
    /// The first instant at which it can't be used any more.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

impl From<Issued> for ChallengeItem {
    fn from(issued: Issued) -> Self {
        Self {
            challenge: bytes::text(&issued.bytes()),
            nonce: issued.nonce.to_string(),
            decision: issued.challenge.decision.code(),
            version: issued.challenge.version,
            digest: issued.challenge.digest.to_string(),
            meaning: meaning(issued.challenge.decision),
            expires_at: issued.challenge.expires,
            binding: issued.binding,
            statement: issued.statement,
        }
    }
}

/// Asks for a challenge, if my vote would count now.
///
/// It is good once, for five minutes.
#[utoipa::path(
    operation_id = "approval-challenge", tag = "approvals", params(ApprovalPath), request_body = ChallengeRequest,
    responses(
        (status = 201, description = "The challenge.", body = ChallengeItem),
        CallerProblems, BodyProblems, (status = 403, description = "`not-an-approver`: the rule doesn't name me, or I asked for it. `delegated-token` or `scope-missing`: the token may not be used for it.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "`approval-closed` (with its `state`) or `already-voted`.", body = Problem,
         content_type = "application/problem+json"),
        (status = 423, description = "`locked`: my account is locked.", body = Problem,
         content_type = "application/problem+json"),
    ),
    security(("user_token" = []))
)]
#[post("/v1/approvals/{id}/challenges")]
pub async fn challenge(
    Then(Writer { door, caller }, Then(path, Json(body))): Then<
        Writer,
        Then<web::Path<ApprovalPath>, Json<ChallengeRequest>>,
    >,
    state: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let issued = approvals::challenge(&state.services, &door.tenant, &caller, path.id()?, body.decision).await?;
    Ok(HttpResponse::Created().json(ChallengeItem::from(issued)))
}

/// Gives all that an outsider needs to verify what was decided: `behalf approval verify` does it without asking anybody.
///
/// The request to the byte, the rule's template, every vote with its signature and the service's own, and the service's
/// keys. Whoever may see the approval may have it.
#[utoipa::path(
    operation_id = "approval-evidence", tag = "approvals", params(ApprovalPath),
    responses(
        (status = 200, description = "The evidence.", body = Object, example = json!({
            "v": 1, "typ": "approval-evidence", "tenant": "default", "approval": "apr_AZOq4Yp7kJ2cGx3eUpYc1FhT0V6a1Y",
            "version": 1, "state": "PENDING", "binding": "{\"action\":\"delegation.grant\",…}",
            "request_digest": "sha256:dc29c9f9faa6feb5872e5a5805bda9401a5d5a715c091e5c9e31f9269c8cf779",
            "template": {"type": "sign_and_approve"}, "votes": [], "keys": {"keys": []}})),
        CallerProblems,
    ),
    security(("user_token" = []))
)]
#[get("/v1/approvals/{id}/evidence")]
pub async fn evidence(
    Then(Reader { door, caller }, path): Then<Reader, web::Path<ApprovalPath>>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let evidence = approvals::evidence(&state.services, &door.tenant, &caller, path.id()?).await?;
    Ok(HttpResponse::Ok().json(evidence))
}
