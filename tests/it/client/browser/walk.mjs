// Ann at the example client, in Chromium: node walk.mjs MODULES CHROMIUM APP PICTURES. Says on standard output where it
// is; what isn't as it should be ends it with an error.
import assert from 'node:assert/strict';
import { inflateSync } from 'node:zlib';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [modules, executablePath, app, pictures] = process.argv.slice(2);
const { chromium } = await import(pathToFileURL(join(modules, 'node_modules/playwright-core/index.mjs')));

const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
// As root Chromium refuses its sandbox. It is to ask nobody but the application and the identity provider.
const args = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage'];
const browser = await chromium.launch({ executablePath, args, headless: true });
const page = await (await browser.newContext({ viewport: { width: 1000, height: 900 }, locale: 'en' })).newPage();

const complaints = [];
page.on('pageerror', (error) => complaints.push(`script: ${error}`));
page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));

const heading = (text) => page.getByRole('heading', { level: 1, name: text, exact: true }).waitFor();
const actFor = (login) => page.getByRole('button', { name: `Act for ${login}` }).click();
const back = () => page.getByRole('button', { name: 'Return to yourself' }).click();
const claim = (name) => page.getByRole('row').filter({ has: page.getByRole('rowheader', { name, exact: true }) });

/** A picture of the page, on which there is something: a blank one has hardly two different bytes. */
async function picture(name) {
  const png = await page.screenshot({ path: join(pictures, `${name}.png`), fullPage: true });
  const parts = [];
  for (let at = 8; at < png.length; at += 12 + png.readUInt32BE(at)) {
    if (png.toString('latin1', at + 4, at + 8) === 'IDAT') parts.push(png.subarray(at + 8, at + 8 + png.readUInt32BE(at)));
  }
  const different = new Set(inflateSync(Buffer.concat(parts))).size;
  assert.ok(png.readUInt32BE(16) === 1000 && different > 64, `${name} is blank: ${different} different bytes`);
}

async function delegatedFor(login) {
  await heading(`You act on behalf of ${login}`);
  assert.deepEqual(await claim('on_behalf_sub').getByRole('cell').allTextContents(), ['', `"${login}"`, 'added']);
  const [own, delegated] = await claim('uid').getByRole('cell').allTextContents();
  assert.equal(delegated, own, 'who acts stays');
}

try {
  await page.goto(app);
  await heading('Sign in');
  await page.getByLabel('Your login').fill('ann@example.test');
  // By the keyboard alone.
  await page.keyboard.press('Enter');
  await heading('You act as yourself');
  assert.equal(await page.locator('#me').textContent(), 'Ann Agent');
  assert.equal(await claim('on_behalf_sub').count(), 0);
  // Cookies don't know ports, so the provider's are here as well.
  const cookies = (await page.context().cookies(app)).filter(({ name }) => name === 'session');
  assert.deepEqual(cookies.map(({ name, httpOnly, sameSite }) => [name, httpOnly, sameSite]), [['session', true, 'Lax']]);
  assert.equal(await page.evaluate(() => document.cookie + localStorage.length + sessionStorage.length), '00');
  say({ at: 'signed in' });

  await actFor('bob@example.test');
  await delegatedFor('bob@example.test');
  await picture('client-acting');
  await back();
  await heading('You act as yourself');
  assert.equal(await claim('on_behalf_sub').count(), 0);
  say({ at: 'returned' });

  await page.getByRole('group', { name: 'dan@example.test' }).getByLabel('Reason').fill('invoice run');
  await actFor('dan@example.test');
  await heading('Somebody has to approve first');
  await page.getByRole('status').getByText('PENDING').waitFor();
  await picture('client-waiting');
  say({ at: 'waiting' });
  // Nobody touches this page: it goes on when the other person has voted.
  await delegatedFor('dan@example.test');
  await back();
  await heading('You act as yourself');

  assert.deepEqual(complaints, []);
  await actFor('lou@example.test');
  await page.getByRole('alert').getByText('locked', { exact: true }).waitFor();
  await picture('client-refused');
  // Chromium reports the refusal's status; that is all it has to say.
  assert.ok(complaints.every((text) => text.includes('423')), complaints.join('\n'));

  await page.getByRole('button', { name: 'Sign out' }).click();
  await heading('Sign in');
  say({ at: 'end' });
} catch (error) {
  await page.screenshot({ path: join(pictures, 'client-failed.png') });
  console.error(complaints.join('\n'));
  throw error;
} finally {
  await browser.close();
}
