// behalf's API, as far as an application needs it. All calls are made with the user's own token: a delegated one is
// refused (403 `delegated-token`).
import { config } from './config.mjs';

const PATIENCE = 10_000;
// A long poll is answered after 30 s at the latest.
const LONG_PATIENCE = 45_000;

/** What behalf answers when it refuses (RFC 9457): `code` is for programs, `detail` for people. */
export class Problem extends Error {
  constructor(status, { code, title, detail, until, field } = {}) {
    super(`${status} ${code}`);
    Object.assign(this, { status, code, title, detail, until, field });
  }
}

async function call(access, method, url, { body, signal, patience = PATIENCE } = {}) {
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), patience);
  const gone = () => stop.abort();
  signal?.addEventListener('abort', gone);
  const headers = { authorization: `Bearer ${access}`, accept: 'application/json' };
  if (body) headers['content-type'] = 'application/json';
  try {
    const answer = await fetch(url, {
      method,
      headers,
      body: body && JSON.stringify(body),
      signal: stop.signal,
      redirect: 'error',
    });
    const text = await answer.text();
    if (answer.ok) return text ? JSON.parse(text) : undefined;
    throw new Problem(answer.status, document(text));
  } catch (error) {
    if (error instanceof Problem) throw error;
    throw new Problem(503, { code: 'unreachable', title: 'No answer', detail: 'behalf could not be reached.' });
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', gone);
  }
}

/** A proxy in between answers with whatever it likes. */
function document(text) {
  try {
    return JSON.parse(text);
  } catch {
    return { code: 'unreadable', title: 'An answer that is not behalf’s', detail: 'Something in between answered.' };
  }
}

/** For whom this user may act. */
export const delegators = async (access) => (await call(access, 'GET', `${config.behalf}/v1/grants/delegators`)).items;

/**
 * Begins a delegation: `{delegationid, …}`, or `{approval, wait}` where somebody has to approve first. No
 * `Idempotency-Key`: this route takes none, because its answer is a secret.
 */
export const begin = (access, wish) => call(access, 'POST', `${config.behalf}/v1/delegations`, { body: wish });

/** Takes back a delegation that no hook has used. */
export const cancel = (access, reference) => call(access, 'DELETE', `${config.behalf}/v1/delegations/${reference}`);

/** The approval once it is another than `revision`, or as it is after 30 s. `poll` is a path on behalf's server. */
export function watch(access, poll, revision, signal) {
  const url = new URL(poll, config.behalf);
  url.searchParams.set('after_revision', revision);
  return call(access, 'GET', url, { signal, patience: LONG_PATIENCE });
}

/** Takes back a request that nobody has decided. */
export const withdraw = (access, id) => call(access, 'POST', `${config.behalf}/v1/approvals/${id}/withdraw`);
