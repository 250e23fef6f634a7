// The rules of sessions.mjs: node --import … with the application's folder as the first argument.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const sessions = await import(pathToFileURL(join(process.argv[2], 'sessions.mjs')));
const HOUR = 3600_000;
let now = 1_000 * HOUR;
Date.now = () => now;

/** An answer that remembers its cookies. */
const answer = () => ({ cookies: [], appendHeader(name, value) { this.cookies.push(value); } });
const asking = ({ cookies }) => ({ headers: { cookie: cookies.map((line) => line.split(';')[0]).join('; ') } });

function signedIn(sub) {
  const response = answer();
  sessions.begin(response, undefined, { user: { sub } });
  return asking(response);
}

// One user: ten sessions, of which the oldest goes; nobody else loses his.
const bob = signedIn('bob');
const ann = Array.from({ length: 11 }, () => signedIn('ann'));
assert.equal(sessions.find(ann[0]), undefined);
assert.ok(ann.slice(1).every(sessions.find));
for (let at = 0; at < 20_000; at += 1) signedIn('ann');
assert.ok(sessions.find(bob), 'one user pushes out nobody else');

// Without a request for 8 hours.
const idle = signedIn('eve');
now += 8 * HOUR;
assert.ok(sessions.find(idle));
now += 8 * HOUR + 1;
assert.equal(sessions.find(idle), undefined);

// However busy, 24 hours.
const busy = signedIn('eve');
for (let hour = 0; hour < 24; hour += 1) {
  now += HOUR;
  assert.ok(sessions.find(busy), `after ${hour + 1} hours`);
}
now += 1;
assert.equal(sessions.find(busy), undefined);

// A sign-in that was begun is in the browser alone, and good once.
const begun = answer();
sessions.keepSignIn(begun, { state: 's', nonce: 'n', verifier: 'v' });
const back = answer();
assert.deepEqual(sessions.takeSignIn(asking(begun), back), { state: 's', nonce: 'n', verifier: 'v' });
assert.equal(sessions.takeSignIn(asking(back), answer()), undefined);
console.log('well');
