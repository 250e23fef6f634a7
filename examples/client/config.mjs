// Whatever differs between installations comes from the environment.
const { env } = process;

function need(name, what) {
  if (env[name]) return env[name].replace(/\/$/, '');
  console.error(`${name} is missing: ${what}. \`behalf demo --serve\` prints a line that sets it.`);
  process.exit(2);
}

const port = Number(env.PORT ?? 3000);
if (port === 0 && !env.BASE_URL) need('BASE_URL', 'PORT=0 takes any port, which no redirect URI can name');
// What the browser sees: behind a proxy it is another address than the one listened on.
const base = (env.BASE_URL ?? `http://127.0.0.1:${port}`).replace(/\/$/, '');

export const config = {
  issuer: need('ISSUER', "the identity provider's issuer"),
  behalf: need('BEHALF_URL', "behalf's address, with /t/TENANT for a tenant other than the default one"),
  clientId: env.CLIENT_ID ?? 'demo-app',
  // None: a public client, which PKCE alone protects.
  clientSecret: env.CLIENT_SECRET,
  // offline_access brings the refresh token, without which nobody can act for anybody; `behalf` opens behalf's API.
  scope: env.SCOPE ?? 'openid offline_access behalf',
  host: env.HOST ?? '127.0.0.1',
  port,
  base,
  redirectUri: `${base}/callback`,
};
