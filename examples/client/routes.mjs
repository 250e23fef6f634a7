// What the browser can ask for.
import { readFile } from 'node:fs/promises';
import * as acting from './acting.mjs';
import * as behalf from './behalf.mjs';
import * as identity from './identity.mjs';
import * as pages from './pages.mjs';
import * as sessions from './sessions.mjs';

/** Every answer is `{status?, page}`, `{to}`, `{json}` or `{file, type}`. What starts with POST is a form of ours. */
export const routes = {
  'GET /': home,
  'POST /sign-in': signIn,
  'GET /callback': callback,
  'POST /act': act,
  'POST /return': returnToSelf,
  'GET /waiting': waiting,
  'GET /waiting/news': news,
  'POST /cancel': cancel,
  'POST /sign-out': signOut,
  'GET /style.css': () => asset('style.css', 'text/css'),
  'GET /waiting.js': () => asset('waiting.js', 'text/javascript'),
};

const asset = async (name, type) => ({ file: await readFile(new URL(`public/${name}`, import.meta.url)), type });

async function home({ session }) {
  if (!session) return { page: pages.welcome() };
  const access = await sessions.inTurn(session, () => acting.ownAccess(session));
  const delegators = await behalf.delegators(access);
  acting.dropEnded(session);
  return { page: pages.home(session, delegators) };
}

async function signIn({ form, response }) {
  const { url, secrets } = await identity.beginSignIn(form.get('login')?.trim());
  sessions.keepSignIn(response, secrets);
  return { to: url };
}

async function callback({ session, query, request, response }) {
  const secrets = sessions.takeSignIn(request, response);
  // A link from elsewhere, or a page that was loaded twice.
  if (!secrets) return { to: '/' };
  sessions.begin(response, session, await identity.finishSignIn(`?${query}`, secrets));
  return { to: '/' };
}

async function act({ session, form }) {
  const fields = ['delegator', 'reason', 'ticket'].map((name) => [name, form.get(name)?.trim()]);
  const wish = Object.fromEntries(fields.filter(([, value]) => value));
  await sessions.inTurn(session, () => acting.act(session, wish));
  return { to: session.waiting ? '/waiting' : '/' };
}

async function returnToSelf({ session }) {
  await sessions.inTurn(session, () => acting.returnToSelf(session));
  return { to: '/' };
}

function waiting({ session }) {
  return session?.waiting ? { page: pages.waiting(session) } : { to: '/' };
}

/** Asked by `waiting.js`, and by people without scripts; answered when there is news, or after half a minute. */
async function news({ session, request, gone }) {
  if (!session?.waiting) return { to: '/' };
  await sessions.inTurn(session, () => acting.ownAccess(session));
  if (!session.waiting) return { to: '/' };
  const { state, revision } = await acting.news(session, gone);
  return request.headers.accept === 'application/json' ? { json: { state, revision } } : { to: '/waiting' };
}

async function cancel({ session, form }) {
  await sessions.inTurn(session, () => acting.stopWaiting(session, form.get('approval')));
  return { to: '/' };
}

function signOut({ session, response }) {
  sessions.end(response, session);
  return { to: identity.signOutUrl(session.idToken) ?? '/' };
}
