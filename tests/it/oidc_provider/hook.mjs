// The token hook as Okta treats it: one attempt of 3 s; whatever isn't a 200 mints the plain tokens; the commands of an
// answer are carried out whole or not at all; `error` mints nothing.
import { randomUUID } from 'node:crypto';

const PATIENCE = 3000;
const LONGEST_ANSWER = 256 * 1024;
const KINDS = { 'com.okta.access.patch': 'access', 'com.okta.identity.patch': 'identity' };
const RESERVED = new Set(['acr', 'aud', 'auth_time', 'cid', 'cnf', 'exp', 'iat', 'iss', 'jti', 'sid', 'sub', 'uid', 'ver']);

/**
 * Asks the hook about the tokens in `drafts`: `access` (`{claims, lifetime, scopes}`) and, if it is being minted,
 * `identity` (`{claims, lifetime}`). Gives the tokens to mint, or `{refused: text}`; `outcome` tells what happened.
 */
export async function ask(hook, context, drafts) {
  const call = { request: JSON.stringify(envelope(context, drafts)), status: null, answer: null };
  try {
    call.answer = await deliver(hook, call);
  } catch (failure) {
    return { drafts, outcome: `failed: ${failure.message}`, ...call };
  }
  if (call.status !== 200) return { drafts, outcome: `failed: status ${call.status}`, ...call };
  let answer;
  try {
    answer = object(JSON.parse(call.answer));
  } catch (failure) {
    return { drafts, outcome: `failed: ${failure.message}`, ...call };
  }
  if (answer.error) {
    return { refused: answer.error.errorSummary ?? 'The callback service returned an error', outcome: 'refused', ...call };
  }
  try {
    const patched = apply(drafts, answer.commands ?? []);
    return { drafts: patched, outcome: patched === drafts ? 'nothing' : 'applied', ...call };
  } catch (fault) {
    return { drafts, outcome: `void: ${fault.message}`, ...call };
  }
}

async function deliver(hook, call) {
  const headers = { accept: 'application/json', 'content-type': 'application/json', [hook.header]: hook.secret };
  const signal = AbortSignal.timeout(PATIENCE);
  const answer = await fetch(hook.url, { method: 'POST', redirect: 'manual', headers, body: call.request, signal });
  call.status = answer.status;
  const bytes = await answer.arrayBuffer();
  if (bytes.byteLength > LONGEST_ANSWER) throw new Error('the answer is too long');
  return new TextDecoder().decode(bytes);
}

function envelope(context, drafts) {
  const data = { context };
  for (const kind of ['identity', 'access']) {
    if (!drafts[kind]) continue;
    data[kind] = { claims: drafts[kind].claims, token: { lifetime: { expiration: drafts[kind].lifetime } } };
  }
  const granted = drafts.access.scopes.map((name) => [name, { id: `scp-${name}`, action: 'GRANT' }]);
  data.access.scopes = Object.fromEntries(granted);
  return {
    source: context.request.url.value.split('?')[0],
    eventId: randomUUID(),
    eventTime: new Date().toISOString(),
    eventTypeVersion: '1.0',
    cloudEventVersion: '0.1',
    contentType: 'application/json',
    eventType: 'com.okta.oauth2.tokens.transform',
    data,
  };
}

/** The drafts changed by all commands; throws if one of them can't be carried out. Where Okta's documents are silent
 * (`add` of a claim that is there), this is the stricter reading. */
export function apply(drafts, commands) {
  if (!Array.isArray(commands)) throw new Error('commands is no list');
  if (commands.length === 0) return drafts;
  const patched = structuredClone(drafts);
  for (const command of commands) {
    const kind = KINDS[command?.type];
    if (!kind) throw new Error(`unknown command ${command?.type}`);
    const draft = patched[kind];
    if (!draft) throw new Error(`no ${kind} token is being minted`);
    if (!Array.isArray(command.value)) throw new Error('a command without operations');
    for (const operation of command.value) operate(draft, operation);
  }
  return patched;
}

function operate(draft, { op, path, value }) {
  if (path === '/token/lifetime/expiration') {
    if (op !== 'replace' || !Number.isInteger(value) || value < 300 || value > 86400) throw new Error(`${op} ${path}: ${value}`);
    draft.lifetime = value;
    return;
  }
  const [root, first, ...rest] = segments(path);
  if (root !== 'claims' || !first) throw new Error(`unknown path ${path}`);
  if (RESERVED.has(first)) throw new Error(`${path} is reserved`);
  let place = draft.claims;
  let name = first;
  for (const step of rest) {
    if (!Object.hasOwn(place, name) || typeof place[name] !== 'object') throw new Error(`nothing at ${path}`);
    place = place[name];
    name = step;
  }
  const there = Object.hasOwn(place, name);
  if (op === 'remove' && there) {
    if (Array.isArray(place)) place.splice(Number(name), 1);
    else delete place[name];
  } else if (value === undefined || value === null) {
    throw new Error(`${op} ${path} without a value`);
  } else if (op === 'replace' && there) {
    place[name] = value;
  } else if (op === 'add' && Array.isArray(place)) {
    const at = name === '-' ? place.length : Number(name);
    if (!Number.isInteger(at) || at < 0 || at > place.length) throw new Error(`no place at ${path}`);
    place.splice(at, 0, value);
  } else if (op === 'add' && !there) {
    place[name] = value;
  } else {
    throw new Error(`${op} ${path} can't be done`);
  }
}

function segments(path) {
  if (typeof path !== 'string' || !path.startsWith('/')) throw new Error(`${path} is no path`);
  return path.slice(1).split('/').map((s) => s.replaceAll('~1', '/').replaceAll('~0', '~'));
}

function object(value) {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) throw new Error('the answer is no object');
  return value;
}
