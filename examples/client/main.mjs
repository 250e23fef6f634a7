// Starts the application: `node main.mjs`, with the environment that README.md lists.
import { createServer } from 'node:http';
import { explain } from './advice.mjs';
import { config } from './config.mjs';
import { discover, signInOrigin } from './identity.mjs';
import * as pages from './pages.mjs';
import { routes } from './routes.mjs';
import * as sessions from './sessions.mjs';

const LONGEST_FORM = 16 * 1024;
const WRONG_FORM = { status: 403, title: 'This form has expired', advice: 'Go back, load the page anew and try again.' };
const NOT_HERE = { status: 404, title: 'There is no such page', advice: 'Go back.' };
const BROKEN = { status: 500, title: 'Something is broken here', advice: 'Tell the administrator; the log says more.' };

async function serve(request, response) {
  const session = sessions.find(request);
  try {
    send(response, await answer(request, response, session));
  } catch (error) {
    if (response.destroyed) return;
    const known = explain(error);
    if (!known) console.error(error);
    if (known?.over && session) sessions.forget(session);
    send(response, failure(known?.over ? undefined : session, known ?? BROKEN));
  }
}

async function answer(request, response, session) {
  if (!URL.canParse(request.url, 'http://here')) return failure(session, NOT_HERE);
  const elsewhere = otherName(request);
  if (elsewhere) return { to: elsewhere };
  const { pathname, searchParams: query } = new URL(request.url, 'http://here');
  // The answer to HEAD is that to GET; Node.js leaves its body out.
  const method = request.method === 'HEAD' ? 'GET' : request.method;
  const handler = routes[`${method} ${pathname}`];
  if (!handler) return failure(session, NOT_HERE);
  const gone = new AbortController();
  response.on('close', () => gone.abort());
  const asked = { request, response, session, query, gone: gone.signal };
  if (method === 'GET') return handler(asked);
  const form = await read(request);
  const signsIn = pathname === '/sign-in';
  if (!form || !sessions.ownOrigin(request)) return failure(session, WRONG_FORM);
  if (!signsIn && !(session && sessions.ownForm(session, form))) return failure(session, WRONG_FORM);
  return handler({ ...asked, form });
}

const LOOPBACK = ['localhost', '127.0.0.1', '[::1]'];

/**
 * This page under the name that BASE_URL has, if it was asked for under another name of this machine: cookies and the
 * sign-in's way back know that one alone.
 */
function otherName({ method, url, headers }) {
  if (method !== 'GET' || !URL.canParse(`http://${headers.host}`)) return undefined;
  const [asked, known] = [new URL(`http://${headers.host}`), new URL(config.base)].map(({ hostname }) => hostname);
  const both = LOOPBACK.includes(asked) && LOOPBACK.includes(known);
  const { pathname, search } = new URL(url, 'http://here');
  return both && asked !== known ? config.base + pathname + search : undefined;
}

const failure = (session, said) => ({ status: said.status, page: pages.failed(session, said) });

async function read(request) {
  const parts = [];
  let length = 0;
  for await (const part of request) {
    length += part.length;
    if (length > LONGEST_FORM) return undefined;
    parts.push(part);
  }
  return new URLSearchParams(Buffer.concat(parts).toString());
}

function send(response, { status = 200, page, to, json, file, type }) {
  response.setHeader('cache-control', 'no-store');
  response.setHeader('x-content-type-options', 'nosniff');
  // The callback's address has the code in it. Not `no-referrer`: browsers would then leave a form's origin out, too.
  response.setHeader('referrer-policy', 'same-origin');
  if (to) return response.writeHead(303, { location: String(to) }).end();
  if (json) return response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(json));
  if (file) return response.writeHead(status, { 'content-type': `${type}; charset=utf-8` }).end(file);
  response.setHeader(
    'content-security-policy',
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; base-uri 'none'; " +
      // Browsers apply this to where a form is redirected, too, and a provider may redirect to another.
      `frame-ancestors 'none'; form-action 'self' https: ${signInOrigin()}`,
  );
  return response.writeHead(status, { 'content-type': 'text/html; charset=utf-8' }).end(String(page));
}

try {
  await discover();
} catch (error) {
  console.error(`ISSUER=${config.issuer} doesn't say what its endpoints are: ${error.cause?.message ?? error.message}`);
  process.exit(1);
}
const server = createServer((request, response) =>
  serve(request, response).catch((error) => {
    console.error(error);
    response.destroy();
  }),
);
server.on('error', (error) => {
  console.error(`PORT=${config.port} can't be listened on: ${error.message}`);
  process.exit(1);
});
server.listen(config.port, config.host, () => {
  console.log(`open ${config.base}/ (listening on ${config.host}:${server.address().port})`);
});
