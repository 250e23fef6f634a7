// An authorization server of other people's making (npm oidc-provider) whose token endpoint asks a hook of Okta's shape.
//
//   node server.mjs <folder with node_modules>
//
// Listens on a free port of 127.0.0.1 and says so in a JSON line: {"issuer": …}. Then it takes commands as JSON lines on
// standard input and answers each with one on standard output: {"hook": {url, header, secret}} names the hook,
// {"calls": true} gives all calls so far. It ends with its standard input. Anybody is signed in by `login_hint`.
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { ask } from './hook.mjs';

// Standard output belongs to the protocol.
console.log = console.info = console.warn = console.error;
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

const modules = join(process.argv[2], 'node_modules', 'oidc-provider', 'lib', 'index.js');
const { Provider, errors } = await import(pathToFileURL(modules));

const AUDIENCE = 'api://default';
const API_SCOPE = 'behalf';
const LIFETIME = 3600;
const CLIENT = {
  client_id: 'app',
  client_secret: 'a-secret-of-the-app',
  redirect_uris: ['http://127.0.0.1:9/callback'],
  post_logout_redirect_uris: ['http://127.0.0.1:9/'],
};
const PEOPLE = {
  '00u1ann': { login: 'ann@example.test', department: 'Engineering' },
  '00u2bob': { login: 'bob@example.test', department: 'Operations' },
};
// The provider filters ID token claims by scope; all that a hook may add must be known to it.
const CLAIMS = ['sub', 'department', 'costCenter', 'on_behalf', 'on_behalf_sub', 'can_delegate'];

let hook = null;
const calls = [];
const logins = new Map(); // grant id -> the authorization request that it began with
const decisions = new WeakMap(); // token request -> what it comes to (a promise), shared by both tokens
const minted = new WeakMap(); // the same, once it is known

const http = createServer();
await new Promise((ready) => http.listen(0, '127.0.0.1', ready));
const ISSUER = `http://127.0.0.1:${http.address().port}`;

/** The claims and lifetimes of this token request, after the hook. Asked once per request, before anything is used up. */
function decide(ctx) {
  if (!decisions.has(ctx)) decisions.set(ctx, asked(ctx));
  return decisions.get(ctx);
}

async function asked(ctx) {
  const { params, entities } = ctx.oidc;
  const source = entities.RefreshToken ?? entities.AuthorizationCode;
  const scope = params.scope ?? source.scope;
  const plain = draft(source.accountId, scope.split(' '));
  if (!hook) return plain;
  const { drafts, refused, ...call } = await ask(hook, context(ctx, source, scope), plain);
  calls.push(call);
  if (refused) throw new errors.CustomOIDCProviderError('server_error', refused);
  minted.set(ctx, drafts);
  return drafts;
}

function draft(sub, scopes) {
  const { login, department } = PEOPLE[sub];
  const common = { ver: 1, iss: ISSUER, department };
  const access = { ...common, aud: AUDIENCE, cid: CLIENT.client_id, sub, can_delegate: 'True' };
  const identity = { ...common, aud: CLIENT.client_id, sub, preferred_username: login };
  // This provider leaves the scopes of OpenID Connect out of its access tokens.
  const drafts = { access: { claims: access, lifetime: LIFETIME, scopes: scopes.filter((name) => name === API_SCOPE) } };
  if (scopes.includes('openid')) drafts.identity = { claims: identity, lifetime: LIFETIME };
  return drafts;
}

/** `data.context`. A code's exchange is told as the authorization request that it ends, like Okta does. */
function context(ctx, source, scope) {
  const login = logins.get(source.grantId);
  const refresh = ctx.oidc.params.grant_type === 'refresh_token';
  const authorize = `${ISSUER}/auth?${new URLSearchParams(login)}`;
  const { scope: asked, state, redirect_uri, response_type, client_id } = login;
  const authorization = { scope: asked, state, redirect_uri, response_mode: 'query', response_type, client_id };
  const protocol = {
    type: 'OAUTH2.0',
    request: refresh ? { grant_type: 'refresh_token', scope, state: ctx.oidc.body.state } : authorization,
    issuer: { uri: ISSUER },
    client: { id: CLIENT.client_id, name: CLIENT.client_id, type: 'CONFIDENTIAL' },
  };
  if (refresh) protocol.originalGrant = { authorization, refresh_token: { jti: source.grantId } };
  return {
    request: { id: randomUUID(), method: refresh ? 'POST' : 'GET', url: { value: refresh ? ctx.href : authorize }, ipAddress: ctx.ip },
    protocol,
    user: { id: source.accountId, profile: { login: PEOPLE[source.accountId].login } },
    policy: { id: 'policy', rule: { id: 'rule' } },
  };
}

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const isTokenRequest = (ctx) => ctx.oidc?.route === 'token';

const provider = new Provider(ISSUER, {
  jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'RS256', kid: randomUUID() }] },
  clients: [{ ...CLIENT, grant_types: ['authorization_code', 'refresh_token'], response_types: ['code'] }],
  scopes: ['openid', 'offline_access', API_SCOPE],
  claims: { openid: CLAIMS },
  conformIdTokenClaims: false,
  extraParams: ['delegationid'],
  cookies: { keys: [randomUUID()] },
  pkce: { required: () => true },
  issueRefreshToken: async () => true,
  // Asked before the old refresh token is used up, so that a refusal by the hook leaves it as it was.
  rotateRefreshToken: async (ctx) => Boolean(await decide(ctx)),
  ttl: { IdToken: (ctx) => minted.get(ctx)?.identity?.lifetime ?? LIFETIME, Grant: 86400, Session: 86400, Interaction: 600, RefreshToken: 86400 },
  interactions: { url: (ctx, interaction) => `/interaction/${interaction.uid}` },
  features: {
    devInteractions: { enabled: false },
    resourceIndicators: {
      enabled: true,
      defaultResource: async (ctx, client, oneOf) => oneOf ?? 'urn:api',
      useGrantedResource: async () => true,
      getResourceServerInfo: async (ctx) => ({
        scope: API_SCOPE,
        audience: AUDIENCE,
        accessTokenTTL: isTokenRequest(ctx) ? (await decide(ctx)).access.lifetime : LIFETIME,
        accessTokenFormat: 'jwt',
        jwt: { sign: { alg: 'RS256' } },
      }),
    },
  },
  extraTokenClaims: async (ctx) => (await decide(ctx)).access.claims,
  findAccount: (ctx, sub) => ({
    accountId: sub,
    claims: async (use) => (use === 'id_token' && isTokenRequest(ctx) ? { ...(await decide(ctx)).identity.claims, sub } : { sub }),
  }),
});
provider.on('server_error', (ctx, error) => error.error === 'server_error' || console.error(error));

// Signs in whom `login_hint` names, and consents to everything.
provider.use(async (ctx, next) => {
  if (!ctx.path.startsWith('/interaction/')) return next();
  const { params } = await provider.interactionDetails(ctx.req, ctx.res);
  const accountId = Object.keys(PEOPLE).find((id) => PEOPLE[id].login === params.login_hint);
  const grant = new provider.Grant({ accountId, clientId: params.client_id });
  grant.addOIDCScope(params.scope);
  grant.addResourceScope('urn:api', params.scope);
  const grantId = await grant.save();
  logins.set(grantId, params);
  ctx.respond = false;
  return provider.interactionFinished(ctx.req, ctx.res, { login: { accountId }, consent: { grantId } });
});
http.on('request', provider.callback());
say({ issuer: ISSUER });

createInterface({ input: process.stdin })
  .on('line', (line) => {
    const command = JSON.parse(line);
    if (command.hook) hook = command.hook;
    say(command.calls ? { calls } : { done: true });
  })
  .on('close', () => process.exit(0));
