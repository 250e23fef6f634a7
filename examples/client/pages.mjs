// The pages.
import { claimsOf } from './identity.mjs';
import { html } from './html.mjs';

function page(title, session, content, head) {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title} · Acting for others</title>
<link rel="stylesheet" href="/style.css">
${head}
</head>
<body>
<header>
<a class="skip" href="#main">Skip to the content</a>
<p><a href="/">Acting for others</a></p>
${session && signedIn(session)}
</header>
<main id="main">
<h1>${title}</h1>
${content}
</main>
</body>
</html>
`;
}

const signedIn = (session) => html`<p>Signed in as <strong id="me">${nameOf(session)}</strong></p>
${form(session, '/sign-out', html`<button class="quiet">Sign out</button>`)}`;

const nameOf = ({ user }) => user.name ?? user.preferred_username ?? user.sub;

/** Every form that changes something proves that it is from here. */
function form(session, action, content, id) {
  return html`<form method="post" action="${action}"${id && html` id="${id}"`}>
<input type="hidden" name="csrf" value="${session.csrf}">
${content}
</form>`;
}

export const welcome = () => page('Sign in', undefined, html`<p>To act on behalf of somebody, say first who you are.</p>
<form method="post" action="/sign-in">
<label for="login">Your login <span class="hint">(empty: the identity provider asks you)</span></label>
<input id="login" name="login" autocomplete="username" autocapitalize="none" spellcheck="false" maxlength="320">
<button>Sign in</button>
</form>`);

export function home(session, delegators) {
  const { acting } = session;
  const title = acting ? `You act on behalf of ${acting.subject}` : 'You act as yourself';
  return page(title, session, html`
${acting && form(session, '/return', html`<button id="return">Return to yourself</button>`)}
${session.waiting && html`<p role="status">You wait for an approval: <a href="/waiting">see how it stands</a>.</p>`}
${claims(session)}
<h2>For whom you may act</h2>
${delegators.length === 0 && html`<p>For nobody. Whoever wants you to act for him names you as an agent.</p>`}
<ul class="people">${delegators.map((person) => html`<li>${wishFor(session, person)}</li>`)}</ul>
`);
}

function wishFor(session, { id, display_name: name, login }) {
  return form(session, '/act', html`<fieldset>
<legend>${name ?? login}</legend>
<input type="hidden" name="delegator" value="${id}">
<label for="reason-${id}">Reason</label>
<input id="reason-${id}" name="reason" maxlength="500">
<label for="ticket-${id}">Ticket</label>
<input id="ticket-${id}" name="ticket" maxlength="100">
<button>Act for ${login}</button>
</fieldset>`);
}

/** The claims of the user's own token and of the delegated one, side by side. */
function claims({ own, acting }) {
  const before = claimsOf(own.access);
  if (!acting) {
    const rows = Object.entries(before).map(([name, value]) => row(name, [value]));
    return table('Claims of your access token', ['Yours'], rows);
  }
  const now = claimsOf(acting.access);
  const names = [...new Set([...Object.keys(before), ...Object.keys(now)])];
  const rows = names.map((name) => row(name, [before[name], now[name]], change(before[name], now[name])));
  return table('Claims of the access tokens', ['Yours', 'Delegated', 'Difference'], rows);
}

const table = (caption, columns, rows) => html`<div class="scroll" tabindex="0" role="region" aria-label="${caption}"><table>
<caption>${caption}</caption>
<thead><tr><th scope="col">Claim</th>${columns.map((name) => html`<th scope="col">${name}</th>`)}</tr></thead>
<tbody>${rows}</tbody>
</table></div>`;

const row = (name, values, difference) => html`<tr${difference && html` class="differs"`}><th scope="row">${name}</th>
${values.map((value) => html`<td>${value === undefined ? '' : JSON.stringify(value)}</td>`)}
${difference !== undefined && html`<td>${difference}</td>`}</tr>`;

function change(before, now) {
  if (before === undefined) return 'added';
  if (now === undefined) return 'removed';
  return JSON.stringify(before) === JSON.stringify(now) ? '' : 'changed';
}

const WORDS = {
  PENDING: 'Nobody has decided yet.',
  APPROVED: 'Approved. You can go on.',
  ACTIVE: 'Approved. You can go on.',
  DENIED: 'Denied.',
  EXPIRED: 'Nobody decided in time.',
  WITHDRAWN: 'You took it back.',
  REVOKED: 'Approved, and then revoked.',
  ENDED: 'Used up.',
  UNUSED_EXPIRED: 'Approved, but not used in time.',
};

/** Waits for an approval. `waiting.js` keeps it up to date and goes on by itself; without scripts there is the link. */
export function waiting(session) {
  const { approval, wish } = session.waiting;
  const { state, revision, votes, delegator } = approval;
  const mayGoOn = ['APPROVED', 'ACTIVE'].includes(state);
  const script = html`<script type="module" src="/waiting.js"></script>`;
  const again = Object.entries(wish).map(([name, value]) => html`<input type="hidden" name="${name}" value="${value}">`);
  return page('Somebody has to approve first', session, html`
<p role="status" id="status" data-state="${state}" data-revision="${revision}" data-approval="${approval.id}"><strong>${state}</strong>
<span>${WORDS[state]}</span></p>
<dl>
<dt>On behalf of</dt><dd>${delegator.login}</dd>
<dt>Reason</dt><dd>${approval.reason ?? 'none given'}</dd>
<dt>To be decided before</dt><dd><time datetime="${approval.decide_by}">${approval.decide_by}</time></dd>
<dt>Request</dt><dd><code>${approval.id}</code></dd>
${votes.map((vote) => html`<dt>Vote</dt><dd>${vote.decision}${vote.comment && html`: ${vote.comment}`}</dd>`)}
</dl>
${mayGoOn && form(session, '/act', html`${again}<button>Go on</button>`, session.acting ? undefined : 'go-on')}
${form(session, '/cancel', html`<input type="hidden" name="approval" value="${approval.id}"><button class="quiet">${state === 'PENDING' ? 'Cancel' : 'Back'}</button>`)}
${state === 'PENDING' && html`<noscript><p><a href="/waiting/news">Wait for news</a></p></noscript>`}
`, script);
}

export function failed(session, { title, detail, code, advice }) {
  return page(title, session, html`<div role="alert">
${detail && html`<p id="detail">${detail}</p>`}
<p id="advice">${advice}</p>
${code && html`<p>Code: <code id="code">${code}</code></p>`}
</div>
<p><a href="/">${session ? 'Back' : 'Sign in'}</a></p>`);
}
