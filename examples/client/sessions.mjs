// Sessions. The browser holds a random name in a cookie that scripts can't read; tokens stay here. They are kept in
// memory, for one process: with several, put them into a store that all of them share.
import { randomBytes, timingSafeEqual } from 'node:crypto';
import { config } from './config.mjs';

const IDLE = 8 * 3600_000;
// However busy: after that the user signs in again.
const LIFE = 24 * 3600_000;
// Who doesn't come back from the identity provider.
const UNFINISHED = 10 * 60;
const MOST = 10_000;
// Of one user, so that nobody pushes out the others by signing in again and again.
const MOST_OF_ONE = 10;

const secure = config.base.startsWith('https:');
// The prefix makes browsers refuse it from another host or without TLS.
const named = (name) => (secure ? `__Host-${name}` : name);
const COOKIE = named('session');
const SIGN_IN = named('sign-in');
const ATTRIBUTES = `Path=/; HttpOnly; SameSite=Lax${secure ? '; Secure' : ''}`;

const sessions = new Map();
const random = () => randomBytes(32).toString('base64url');

const over = ({ began, touched }) => Date.now() - touched > IDLE || Date.now() - began > LIFE;

function cookie(request, wanted) {
  const cookies = (request.headers.cookie ?? '').split(';').map((part) => part.trim().split('='));
  return cookies.find(([name]) => name === wanted)?.[1];
}

/** The request's session, if it has one. */
export function find(request) {
  const session = sessions.get(cookie(request, COOKIE));
  if (!session || over(session)) return undefined;
  session.touched = Date.now();
  return session;
}

/** A new session in place of the old one: its name may be known to somebody else. `content` is what the sign-in gave. */
export function begin(response, old, content) {
  if (old) forget(old);
  const own = [...sessions.values()].filter(({ user }) => user.sub === content.user.sub);
  // The oldest come first, because a Map keeps its order.
  if (own.length >= MOST_OF_ONE) forget(own[0]);
  if (sessions.size >= MOST) sessions.delete(sessions.keys().next().value);
  const session = { id: random(), csrf: random(), began: Date.now(), touched: Date.now(), ...content };
  sessions.set(session.id, session);
  response.appendHeader('set-cookie', `${COOKIE}=${session.id}; ${ATTRIBUTES}`);
  return session;
}

/** Forgets a session at the user's wish, and its tokens with it. */
export function end(response, session) {
  forget(session);
  response.appendHeader('set-cookie', `${COOKIE}=; Max-Age=0; ${ATTRIBUTES}`);
}

/** The same without a word to the browser: when an answer is late, its cookie may be a newer session's by now. */
export function forget({ id }) {
  sessions.delete(id);
}

/** Keeps a sign-in's secrets in the browser until it is back, so that strangers take no room here. */
export function keepSignIn(response, { state, nonce, verifier }) {
  const value = [state, nonce, verifier].join('.');
  response.appendHeader('set-cookie', `${SIGN_IN}=${value}; Max-Age=${UNFINISHED}; ${ATTRIBUTES}`);
}

/** Those secrets, once: none if this browser didn't begin. */
export function takeSignIn(request, response) {
  const [state, nonce, verifier] = (cookie(request, SIGN_IN) ?? '').split('.');
  if (!state || !nonce || !verifier) return undefined;
  response.appendHeader('set-cookie', `${SIGN_IN}=; Max-Age=0; ${ATTRIBUTES}`);
  return { state, nonce, verifier };
}

/** Whether a form was sent by a page of this application: browsers say so, and no page can say it for another. */
export function ownOrigin(request) {
  return request.headers.origin === new URL(config.base).origin;
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
  [...sessions.values()].filter(over).forEach(forget);
}, 60_000).unref();
