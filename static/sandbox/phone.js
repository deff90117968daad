// The phone's own behaviour: taps, buttons and swipes become reports to the
// signed endpoint, as an app would send them. Everything works as plain forms too.
(() => {
  "use strict";
  const cards = document.querySelector("[data-cards]");
  const reports = document.querySelector("[data-reports]");
  const quiet = document.querySelector("[data-quiet]");
  const opened = document.querySelector("[data-opened]");
  const DONE = { opened: "Opened", clicked: "Clicked", dismissed: "Dismissed" };
  const SEEN = "apropos-sandbox-seen";
  const SEEN_MAX = 400;

  const readSeen = () => {
    try { return JSON.parse(localStorage.getItem(SEEN)) || {}; } catch { return {}; }
  };
  const remember = (name, state) => {
    const seen = readSeen();
    delete seen[name];
    seen[name] = state;
    for (const old of Object.keys(seen).slice(0, -SEEN_MAX)) delete seen[old];
    try { localStorage.setItem(SEEN, JSON.stringify(seen)); } catch { /* private mode */ }
  };

  const note = (event, title, code, ok, link) => {
    reports.querySelector(".none")?.remove();
    const line = document.createElement("li");
    const parts = [["b", "", event], ["span", "what", title], ["span", "code", code]];
    if (link) parts.push(["span", "link", link]);
    for (const [tag, name, text] of parts) {
      const part = document.createElement(tag);
      part.className = name;
      part.textContent = text;
      line.append(part);
    }
    if (!ok) line.className = "failed";
    reports.prepend(line);
  };

  // client_id is the message's own name: a second report of the same kind counts once.
  // Answers whether the report is done with; a device's own "delivered" of a message
  // this site does not know (another database's, or long gone) is dropped in silence.
  const report = async (card, event, button, link) => {
    if (!card.dataset.path) return false;
    const title = card.querySelector(".title, .body")?.textContent || "";
    const facts = {
      event, token: card.dataset.token, client_id: card.dataset.name,
      at: new Date().toISOString(),
    };
    if (button) facts.button = button;
    try {
      const answer = await fetch(card.dataset.path, {
        method: "POST",
        headers: { "Content-Type": "application/json", Accept: "application/json" },
        body: JSON.stringify(facts),
      });
      if (event === "delivered" && [404, 410].includes(answer.status)) return true;
      note(event, title, String(answer.status), answer.ok, link);
      return answer.ok;
    } catch {
      note(event, title, "offline", false, link);
      return false;
    }
  };

  const showState = (card, state, link) => {
    const outcome = card.querySelector("[data-outcome]");
    outcome.textContent = link ? `${DONE[state]} · ${link}` : DONE[state];
    outcome.hidden = false;
    card.classList.add("done");
    card.classList.toggle("dismissed", state === "dismissed");
  };

  const act = async (card, event, { button = "", link = "" } = {}) => {
    if (event !== "dismissed") {
      opened.querySelector("[data-opened-link]").textContent = link || "its home screen";
      opened.showModal();
    }
    if (!(await report(card, event, button, link))) return;
    remember(card.dataset.name, event);
    showState(card, event, link);
  };

  document.addEventListener("submit", (submit) => {
    const { event, button, opens } = submit.target.dataset;
    const card = submit.target.closest("[data-card]");
    if (!card || !event) return;
    submit.preventDefault();
    act(card, event, { button, link: opens });
  });

  // An image that cannot be had leaves no hole, as on a device.
  document.addEventListener("error", (broken) => {
    if (broken.target.matches?.(".picture")) broken.target.hidden = true;
  }, true);

  // Swipe left to dismiss.
  let swipe = null;
  cards.addEventListener("pointerdown", (down) => {
    const card = down.target.closest("[data-card]");
    if (card && down.isPrimary) swipe = { card, x: down.clientX, dx: 0 };
  });
  addEventListener("pointermove", (move) => {
    if (!swipe) return;
    swipe.dx = Math.min(0, move.clientX - swipe.x);
    if (swipe.dx < -8) swipe.card.querySelector(".card-face").style.transform = `translateX(${swipe.dx}px)`;
  });
  const endSwipe = () => {
    if (!swipe) return;
    const { card, dx } = swipe;
    swipe = null;
    card.querySelector(".card-face").style.transform = "";
    if (dx > -90) return;
    card.addEventListener("click", (click) => { click.preventDefault(); }, { once: true, capture: true });
    act(card, "dismissed");
  };
  addEventListener("pointerup", endSwipe);
  addEventListener("pointercancel", endSwipe);

  // A second copy of one delivery replaces the first, as on a device.
  const replaceCopies = (card) => {
    if (!card.dataset.tag) return;
    const address = card.querySelector(".address")?.title;
    for (const other of cards.querySelectorAll("[data-card]")) {
      const same = other !== card && other.dataset.tag === card.dataset.tag
        && other.querySelector(".address")?.title === address;
      if (!same || !(card.compareDocumentPosition(other) & Node.DOCUMENT_POSITION_FOLLOWING)) continue;
      const copies = card.querySelector("[data-copies]");
      const count = (node) => Number(node.textContent.replace(/\D/g, "")) || 1;
      copies.textContent = `×${count(copies) + count(other.querySelector("[data-copies]"))} copies`;
      copies.hidden = false;
      other.remove();
    }
  };

  // The device reports a message as delivered once, when it comes to the screen.
  const welcome = async () => {
    const fresh = [...cards.querySelectorAll("[data-card]:not([data-known])")];
    quiet.hidden = cards.querySelector("[data-card]") !== null;
    for (const card of fresh) {
      card.dataset.known = "";
      replaceCopies(card);
    }
    showTimes();
    for (const card of fresh) {
      const state = readSeen()[card.dataset.name];
      if (DONE[state]) showState(card, state, "");
      else if (!state && (await report(card, "delivered"))) remember(card.dataset.name, "delivered");
    }
  };

  const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hour12: false });
  const day = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });
  const sayAgo = (at) => {
    const minutes = Math.floor((Date.now() - at) / 60000);
    if (minutes < 1) return "now";
    if (minutes < 60) return `${minutes}m ago`;
    if (minutes < 1440) return `${Math.floor(minutes / 60)}h ago`;
    return at.toLocaleDateString(undefined, { day: "numeric", month: "short" });
  };
  const showTimes = () => {
    const now = new Date();
    document.querySelector("[data-clock]").textContent = clock.format(now);
    document.querySelector("[data-clock-small]").textContent = clock.format(now);
    document.querySelector("[data-day]").textContent = day.format(now);
    for (const time of cards.querySelectorAll("time")) time.textContent = sayAgo(new Date(time.dateTime));
  };

  document.querySelector("[data-filter] input").addEventListener("change", (change) => change.target.form.requestSubmit());
  document.body.addEventListener("htmx:afterSettle", welcome);
  setInterval(showTimes, 10000);
  welcome();
})();
