// Sessions. The browser holds a random name in a cookie that scripts can't read; tokens stay here. They are kept in
// memory, for one process: with several, put them into a store that all of them share.
import { randomBytes, timingSafeEqual } from 'node:crypto';
import { config } from './config.mjs';

const IDLE = 8 * 3600_000;
// Who doesn't come back from the identity provider.
const UNFINISHED = 10 * 60_000;
const MOST = 10_000;

const secure = config.base.startsWith('https:');
// The prefix makes browsers refuse it from another host or without TLS.
const COOKIE = secure ? '__Host-session' : 'session';
const ATTRIBUTES = `Path=/; HttpOnly; SameSite=Lax${secure ? '; Secure' : ''}`;

// Apart, so that whoever opens the sign-in ten thousand times doesn't push out those who are signed in.
const signedIn = new Map();
const strangers = new Map();
const random = () => randomBytes(32).toString('base64url');

const over = ({ touched, own }) => Date.now() - touched > (own ? IDLE : UNFINISHED);

/** The request's session, if it has one. */
export function find(request) {
  const cookies = (request.headers.cookie ?? '').split(';').map((part) => part.trim().split('='));
  const id = cookies.find(([name]) => name === COOKIE)?.[1];
  const session = signedIn.get(id) ?? strangers.get(id);
  if (!session || over(session)) return undefined;
  session.touched = Date.now();
  return session;
}

/** A new session in place of the old one. At sign-in that is a must: the old name may be known to somebody else. */
export function begin(response, old, content = {}) {
  if (old) forget(old);
  const session = { id: random(), csrf: random(), touched: Date.now(), ...content };
  const room = session.own ? signedIn : strangers;
  // The oldest come first, because a Map keeps its order.
  if (room.size >= MOST) room.delete(room.keys().next().value);
  room.set(session.id, session);
  response.setHeader('set-cookie', `${COOKIE}=${session.id}; ${ATTRIBUTES}`);
  return session;
}

/** Forgets a session, and its tokens with it. */
export function end(response, session) {
  forget(session);
  response.setHeader('set-cookie', `${COOKIE}=; ${ATTRIBUTES}; Max-Age=0`);
}

function forget({ id }) {
  signedIn.delete(id);
  strangers.delete(id);
}

/** Whether a form was one of this session's pages. */
export function ownForm(session, form) {
  const [sent, expected] = [form.get('csrf') ?? '', session.csrf].map((text) => Buffer.from(text));
  return sent.length === expected.length && timingSafeEqual(sent, expected);
}

/** One after the other within a session: a refresh token works once, and an impatient user clicks twice. */
export function inTurn(session, work) {
  session.turn = (session.turn ?? Promise.resolve()).catch(() => {}).then(work);
  return session.turn;
}

setInterval(() => {
  [...signedIn.values(), ...strangers.values()].filter(over).forEach(forget);
}, 60_000).unref();
