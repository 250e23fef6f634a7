//! What must be true before a handler runs. A handler that needs an actor can't be written without one.

mod application;
mod body;
mod caller;
mod fields;
mod paging;
mod text;
mod then;

pub use self::{
    application::{ByApplication, ByEither, ForApprovals, ForLockCheck, ForOtp, Needs},
    body::{Json, JsonOrForm, json_bytes},
    caller::{CompatReader, CompatWriter, Reader, Writer, door, door_of, request_id, state},
    fields::{Query, not_taken},
    paging::{PageQuery, cursor_text, limit, parse_cursor},
    text::{free_text, scope_set, user_ref},
    then::Then,
};
