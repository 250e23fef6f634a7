// Acting on behalf of somebody: what an application has to do for behalf. The rest of this folder is any web application.
import * as behalf from './behalf.mjs';
import * as identity from './identity.mjs';

/** The provider minted a token, but behalf had no part in it. */
export class NotDelegated extends Error {}

/** The user's own access token, a new one if it is about to end. */
export async function ownAccess(session) {
  if (session.own.expires - Date.now() < 30_000) await takeOwn(session);
  return session.own.access;
}

async function takeOwn(session) {
  const { token, refreshToken } = await identity.refresh(session.refreshToken);
  // The old refresh token is used up.
  Object.assign(session, { own: token, refreshToken });
}

/**
 * Begins to act as `wish` says: `{delegator, reason?, ticket?}`. Afterwards the session has `acting`, or `waiting` if
 * somebody has to approve first; then the same call with the same wish goes on, once that has happened.
 */
export async function act(session, wish) {
  const access = await ownAccess(session);
  const before = session.waiting;
  // A request for something else would go on waiting where nobody sees it.
  if (before && JSON.stringify(before.wish) !== JSON.stringify(wish)) await stopWaiting(session, before.approval.id);
  const begun = await behalf.begin(access, wish);
  if (begun.approval) {
    session.waiting = { wish, approval: begun.approval, poll: begun.wait.poll };
    return;
  }
  session.waiting = undefined;
  try {
    await exchange(session, begun);
  } catch (error) {
    // Perhaps the id is unspent. Taken back, it doesn't count against the few that may be open at a time.
    await behalf.cancel(access, begun.reference).catch(() => {});
    throw error;
  }
}

/** Forgets a delegated token that has ended by itself. */
export function dropEnded(session) {
  if (session.acting?.expires <= Date.now()) session.acting = undefined;
}

/** Turns the id, which is good for a minute and for one use, into a delegated token. */
async function exchange(session, { delegationid, delegator }) {
  // Whatever comes of it, nobody goes on acting for the one before without having been told.
  session.acting = undefined;
  const { token, refreshToken } = await identity.refresh(session.refreshToken, delegationid);
  session.refreshToken = refreshToken;
  const claims = identity.claimsOf(token.access);
  // Never skip this: a provider that can't reach its hook mints a plain token, and acts as if nothing were wrong. Such a
  // token isn't kept either: it is the user's own only if nothing went wrong. (Where BEHALF_CLAIM_… or
  // BEHALF_SUBJECT_ATTRIBUTE name other claims or another attribute than the login, compare those.)
  if (claims.on_behalf !== 'True' || claims.on_behalf_sub !== delegator.login) throw new NotDelegated();
  if (claims.sub !== identity.claimsOf(session.own.access).sub) throw new NotDelegated();
  session.acting = { delegator, subject: claims.on_behalf_sub, ...token };
}

/**
 * Ends it: the delegated token is forgotten, and a refresh without an id gives the user's own again. The delegation
 * itself was over when the hook used its id; an API that got the delegated token takes it until its `exp`.
 */
export async function returnToSelf(session) {
  session.acting = undefined;
  await takeOwn(session);
}

/** Waits for news of the approval, half a minute at most. */
export async function news({ own, waiting }, signal) {
  const approval = await behalf.watch(own.access, waiting.poll, waiting.approval.revision, signal);
  waiting.approval = approval;
  return approval;
}

/** Waits no longer for this approval. What was decided in the meantime isn't open any more, and that is fine. */
export async function stopWaiting(session, id) {
  // Two clicks, or a page of an earlier request.
  if (session.waiting?.approval.id !== id) return;
  const { approval } = session.waiting;
  if (approval.state === 'PENDING') {
    const closed = (error) => {
      if (error.code !== 'approval-closed') throw error;
    };
    await behalf.withdraw(await ownAccess(session), approval.id).catch(closed);
  }
  session.waiting = undefined;
}
