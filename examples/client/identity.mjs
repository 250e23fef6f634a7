// The identity provider: signing in (authorization code, PKCE, state, nonce), and refreshing with a delegation's id.
import { webcrypto } from 'node:crypto';
import * as oidc from 'openid-client';
import { config } from './config.mjs';

globalThis.crypto ??= webcrypto; // Node.js 18 has it, but not as a global.

const { hostname, protocol } = new URL(config.issuer);
const onThisMachine = protocol === 'http:' && ['127.0.0.1', 'localhost', '[::1]'].includes(hostname);
const execute = onThisMachine ? [oidc.allowInsecureRequests] : [];
const proof = config.clientSecret ? oidc.ClientSecretBasic(config.clientSecret) : oidc.None();

let provider;

/** Asks the provider for its endpoints. */
export async function discover() {
  provider = await oidc.discovery(new URL(config.issuer), config.clientId, undefined, proof, { execute });
}

/** Where to send the browser, and the secrets by which the answer is known to belong to this browser. */
export async function beginSignIn(login) {
  const secrets = { state: oidc.randomState(), nonce: oidc.randomNonce(), verifier: oidc.randomPKCECodeVerifier() };
  const url = oidc.buildAuthorizationUrl(provider, {
    redirect_uri: config.redirectUri,
    scope: config.scope,
    state: secrets.state,
    nonce: secrets.nonce,
    code_challenge: await oidc.calculatePKCECodeChallenge(secrets.verifier),
    code_challenge_method: 'S256',
    ...(login && { login_hint: login }),
  });
  return { url, secrets };
}

/** Exchanges the code that the browser brought back; gives what the session keeps. `query` has its question mark. */
export async function finishSignIn(query, { state, nonce, verifier }) {
  const checks = { expectedState: state, expectedNonce: nonce, pkceCodeVerifier: verifier, idTokenExpected: true };
  const tokens = await oidc.authorizationCodeGrant(provider, new URL(config.redirectUri + query), checks);
  if (!tokens.refresh_token) throw new Error('The provider gave no refresh token: allow this client offline_access.');
  const { refresh_token: refreshToken, id_token: idToken } = tokens;
  return { own: dated(tokens), refreshToken, idToken, user: tokens.claims() };
}

/** A new access token, and the refresh token for the next time. With the id it is delegated: behalf's hook gets it. */
export async function refresh(refreshToken, delegationid) {
  const asked = delegationid ? carrying(delegationid) : provider;
  const tokens = await oidc.refreshTokenGrant(asked, refreshToken);
  // A provider that doesn't rotate refresh tokens sends none.
  return { token: dated(tokens), refreshToken: tokens.refresh_token ?? refreshToken };
}

/** The provider with the id in the query of its token URL: Okta's hook is told of the URL, not of the form. */
function carrying(delegationid) {
  const metadata = provider.serverMetadata();
  const url = new URL(metadata.token_endpoint);
  url.searchParams.set('delegationid', delegationid);
  const once = new oidc.Configuration({ ...metadata, token_endpoint: url.href }, config.clientId, undefined, proof);
  execute.forEach((set) => set(once));
  return once;
}

const dated = (tokens) => ({ access: tokens.access_token, expires: Date.now() + (tokens.expiresIn() ?? 300) * 1000 });

/** Where the browser ends its session at the provider; none if the provider has no such page. */
export function signOutUrl(idToken) {
  if (!provider.serverMetadata().end_session_endpoint) return undefined;
  return oidc.buildEndSessionUrl(provider, { id_token_hint: idToken, post_logout_redirect_uri: `${config.base}/` });
}

/** Where the form for signing in leads. */
export const signInOrigin = () => new URL(provider.serverMetadata().authorization_endpoint).origin;

/**
 * The claims of an access token, to show them and to see whether it is delegated. They came from the provider itself;
 * an API that is *sent* such a token has to check its signature.
 */
export function claimsOf(access) {
  return JSON.parse(Buffer.from(access.split('.')[1], 'base64url').toString());
}
