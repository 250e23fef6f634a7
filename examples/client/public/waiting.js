// Keeps the waiting page up to date: asks for news, again and again, until the request is decided; then it goes on.
const status = document.querySelector('#status');
const { state, revision, approval } = status.dataset;
const pause = (seconds) => new Promise((done) => setTimeout(done, seconds * 1000));

async function news() {
  const answer = await fetch('/waiting/news', { headers: { accept: 'application/json' } });
  // There is nothing to wait for any more.
  if (answer.redirected) location.assign('/');
  return answer.ok && !answer.redirected ? answer.json() : undefined;
}

async function wait() {
  if (state === 'PENDING') sessionStorage.setItem('waited', approval);
  while (state === 'PENDING') {
    const said = await news().catch(() => undefined);
    // The page is made by the server, so a change is a new page.
    if (said && String(said.revision) !== revision) return location.reload();
    await pause(said ? 1 : 3);
  }
  // Only where somebody has waited: a link from elsewhere must not change for whom he acts.
  if (sessionStorage.getItem('waited') !== approval) return;
  sessionStorage.removeItem('waited');
  document.querySelector('#go-on')?.requestSubmit();
}

wait();
