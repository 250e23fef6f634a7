// Keeps the waiting page up to date: asks for news, again and again, until the request is decided; then it goes on.
const status = document.querySelector('#status');

async function news() {
  const answer = await fetch('/waiting/news', { headers: { accept: 'application/json' } });
  if (!answer.ok || answer.redirected) return undefined;
  return answer.json();
}

const pause = (seconds) => new Promise((done) => setTimeout(done, seconds * 1000));

async function wait() {
  while (status.dataset.state === 'PENDING') {
    const said = await news().catch(() => undefined);
    if (said === undefined) await pause(3);
    // The page is made by the server, so a change is a new page.
    else if (String(said.revision) !== status.dataset.revision) return location.reload();
  }
  document.querySelector('#go-on')?.requestSubmit();
}

wait();
