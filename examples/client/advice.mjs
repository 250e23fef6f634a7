// What went wrong, in words for the user: title, what was said, the code, and what to do now.
import { AuthorizationResponseError, ClientError, ResponseBodyError } from 'openid-client';
import { NotDelegated } from './acting.mjs';
import { Problem } from './behalf.mjs';

// By behalf's public codes. Where several causes share a code, that is on purpose: nobody shall probe for accounts.
export const ADVICE = {
  'not-delegated': 'Ask that person to name you as an agent, or whether the account is still active.',
  'delegation-not-usable': 'Start again. An id is good for a minute, once, and for you alone.',
  locked: 'Only who locked it, or an administrator, can lift that.',
  reserved: 'Somebody else uses this account. Try again later.',
  'reservation-required': 'This account has to be reserved first.',
  'not-a-member': 'You are not in the group that may use this account.',
  'approval-required': 'The approval is missing, used up or revoked. Start again to ask for a new one.',
  'reason-required': 'Say why, in the field "Reason".',
  'ticket-required': 'Give the number of a ticket, in the field "Ticket".',
  'no-approvers': 'Too few people are left who could approve. An administrator has to look at the rule.',
  'scope-not-allowed': 'This application asks for more than it may have on behalf of this person.',
  'scope-missing': 'The administrator has to allow this application the scope "behalf".',
  'stage-missing': 'Start again: the rules have changed in the meantime.',
  'lifetime-too-short': 'What is left of the approval is too short. Start again to ask for a new one.',
  'too-many-pending': 'Too many attempts are open. Wait a minute.',
  'too-many-open': 'Too many of your requests wait for approval. Take one back, or wait until one is decided.',
  'too-many-held': 'You hold too many accounts. Release one, or wait until its time is over.',
  'account-not-active': 'That account is not active. Ask its owner or an administrator.',
  'delegated-token': 'Return to yourself first.',
  'rate-limited': 'Too many calls. Wait a moment.',
  'approval-closed': 'It was decided in the meantime. Go back to see what became of it.',
  'temporarily-unavailable': 'Nothing was changed. Try again in a moment.',
  unreachable: 'Try again in a moment. If it stays so, tell the administrator.',
  'invalid-token': 'Sign in again.',
  'insufficient-user-authentication': 'Sign in again.',
  invalid_grant: 'Your sign-in has ended. Sign in again.',
  login_required: 'The identity provider knows no such user. Look at how the login is written.',
  access_denied: 'The identity provider did not let you in. Ask the administrator.',
};
const OTHERWISE = 'Try again. If it stays so, tell the administrator the code.';

/** After these the session is of no use any more. */
const OVER = new Set(['invalid_grant', 'invalid-token']);

/** `{status, title, detail, code, advice, over}` for a page; undefined for an error nobody foresaw. */
export function explain(error) {
  const said = words(error);
  return said && { advice: ADVICE[said.code] ?? OTHERWISE, over: OVER.has(said.code), ...said };
}

function words(error) {
  if (error instanceof Problem) {
    const { status, detail, code, until } = error;
    return { status, title: inWords(code), detail, code, ...(until && { advice: `Free again at ${until}, unless it is before.` }) };
  }
  if (error instanceof NotDelegated) return plainToken;
  // The token endpoint said no. If behalf did, its code is in brackets at the end of the description.
  if (error instanceof ResponseBodyError) {
    const code = /\(([a-z-]+)\)\s*$/.exec(error.error_description ?? '')?.[1];
    const title = code ? inWords(code) : 'The identity provider refused';
    return { status: code ? 403 : 502, title, detail: error.error_description, code: code ?? error.error };
  }
  if (error instanceof AuthorizationResponseError) {
    return { status: 403, title: 'You are not signed in', detail: error.error_description, code: error.error };
  }
  // An answer that doesn't fit: state, nonce, issuer, …
  if (error instanceof ClientError) {
    return { status: 502, title: 'The sign-in or refresh failed', detail: error.message, code: error.code };
  }
  // This is how Node.js says that there was no answer.
  if (error instanceof TypeError && error.message === 'fetch failed') {
    return { status: 503, title: 'No answer', detail: 'The identity provider could not be reached.', code: 'unreachable' };
  }
  return undefined;
}

/** behalf's titles are those of HTTP; its codes say more: `reason-required` is "Reason required". */
function inWords(code) {
  const text = String(code ?? 'refused').replaceAll('-', ' ');
  return text[0].toUpperCase() + text.slice(1);
}

const plainToken = {
  status: 502,
  title: 'You act as yourself',
  detail: 'The identity provider gave a token without the delegation, so nothing was done on behalf of anybody.',
  code: 'plain-token',
  advice: 'The administrator should look whether the token inline hook is called: behalf knows when it was last.',
};
