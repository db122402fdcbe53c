/* What every page has: figures as the server writes them, the season's clock, freshness, the banner, the help. */
(() => {
  "use strict";
  const B = (window.BitNerve = window.BitNerve || {});
  document.documentElement.classList.add("js");
  const SPACE = "\u202f", MINUS = "\u2212", UNKNOWN = "\u2013";
  const $ = (selector, from = document) => from.querySelector(selector);
  const $$ = (selector, from = document) => [...from.querySelectorAll(selector)];
  const known = (value) => value !== null && value !== undefined && value !== "" && Number.isFinite(Number(value));

  /* Figures: the same words as apps/leaderboard/templatetags/figures.py; a test holds the two together. */
  const halfEven = (value, decimals) => {
    const text = String(value);
    // Decimal text is rounded as text: a float would decide the halves by its own noise.
    if (/^-?\d+(\.\d+)?$/.test(text)) {
      const negative = text.startsWith("-"), plain = negative ? text.slice(1) : text;
      const [whole, fraction = ""] = plain.split(".");
      const kept = fraction.slice(0, decimals).padEnd(decimals, "0"), rest = fraction.slice(decimals);
      let digits = BigInt(whole + kept);
      const tail = rest.replace(/0+$/, "");
      if (tail > "5" || (tail === "5" && digits % 2n === 1n)) digits += 1n;
      const out = digits.toString().padStart(decimals + 1, "0");
      return [negative, decimals ? out.slice(0, -decimals) + "." + out.slice(-decimals) : out];
    }
    return [Number(text) < 0, Math.abs(Number(text)).toFixed(decimals)];
  };
  const number = (value, decimals, signed) => {
    if (!known(value)) return UNKNOWN;
    const [negative, digits] = halfEven(value, decimals);
    const [whole, fraction] = digits.split(".");
    const body = whole.replace(/\B(?=(\d{3})+$)/g, SPACE) + (fraction ? "." + fraction : "");
    if (!/[1-9]/.test(digits)) return body;
    return (negative ? MINUS : signed ? "+" : "") + body;
  };
  const figures = (B.figures = {
    number,
    money: (v) => number(v, 2),
    change: (v) => number(v, 2, true),
    percent: (v) => (known(v) ? number(100 * v, 2, true) + SPACE + "%" : UNKNOWN),
    share: (v, decimals = 1) => (known(v) ? number(100 * v, decimals) + SPACE + "%" : UNKNOWN),
    points: (v) => (known(v) ? number(100 * v, 2, true) : UNKNOWN),
    ratio: (v) => number(v, 2, true),
    times: (v) => (known(v) ? number(v, 2) + "×" : UNKNOWN),
    price: (v, tick) => number(v, (String(tick).split(".")[1] || "").length),
    since: (seconds) => {
      for (const [size, name] of [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]])
        if (seconds >= size) return `${Math.floor(seconds / size)} ${name} ago`;
      return "0 s ago";
    },
    duration: (seconds) => {
      const measures = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
      let left = Math.max(0, Math.floor(seconds));
      for (let i = 0; i < 4; i++) {
        const [size, name] = measures[i];
        if (left < size && i < 3) continue;
        const many = Math.floor(left / size), next = measures[i + 1];
        const more = next && many < 10 ? Math.floor((left % size) / next[0]) : 0;
        return `${many} ${name}` + (more ? ` ${more} ${next[1]}` : "");
      }
    },
  });
  B.known = known;

  /* Clocks. The visitor's own may be wrong, so the page's instant and the time it has been open are what counts. */
  const body = document.body.dataset, opened = performance.now();
  const at = (text) => (text ? Date.parse(text) : NaN);
  const clock = (B.clock = {
    wall: at(body.now), market: at(body.marketNow), speed: Number(body.speed || 0), updated: at(body.updated),
    next: at(body.next), valuesAt: at(body.valuesAt), closed: body.closed === "closed", since: opened,
    now() { return this.wall + performance.now() - this.since; },
    marketNow() { return this.market + (performance.now() - this.since) * this.speed; },
  });

  const showTimes = () => {
    const now = clock.marketNow();
    for (const one of $$("time[data-age]")) {
      const text = figures.since(Math.max(0, (now - at(one.dateTime)) / 1000));
      if (one.textContent !== text) one.textContent = text;
      if (!one.title) one.title = absolute(one.dateTime) + zone();
    }
  };
  let local = false;
  try { local = localStorage.getItem("local-time") === "1"; } catch {}
  const zone = () => (local ? "" : " UTC");
  const absolute = (text) => {
    const date = new Date(text), two = (n) => String(n).padStart(2, "0");
    const get = (name) => (local ? date[`get${name}`]() : date[`getUTC${name}`]());
    const seconds = get("Seconds");
    return `${get("FullYear")}-${two(get("Month") + 1)}-${two(get("Date"))} ${two(get("Hours"))}:${two(get("Minutes"))}` + (seconds ? ":" + two(seconds) : "");
  };
  B.absolute = absolute;
  const showAbsolute = () => { for (const one of $$("time[data-at]")) one.textContent = absolute(one.dateTime); };

  const showChip = () => {
    if (!Number.isFinite(clock.updated) || clock.closed) return;
    const age = Math.max(0, (clock.now() - clock.updated) / 1000);
    const word = age < 15 ? "live" : age < 120 ? "delayed" : "stale";
    for (const chip of $$("[data-chip]")) {
      if (!chip.classList.contains(word)) {
        chip.className = `chip ${word}`;
        $("b", chip).textContent = word;
      }
      let place = $("[data-chip-age]", chip);
      if (!place) { place = document.createElement("span"); place.dataset.chipAge = ""; chip.append(" ", place); }
      place.textContent = figures.duration(age);
    }
    document.body.classList.toggle("is-stale", word === "stale");
  };
  const showCountdown = () => {
    if (!clock.speed || !Number.isFinite(clock.next)) return;
    const left = (clock.next - clock.marketNow()) / 1000 / clock.speed;
    for (const one of $$("[data-countdown]")) one.textContent = left > 0 ? "in " + figures.duration(left + 0.999) : "due";
  };

  /* The banner: live updates are lost, the page stays as it is. */
  const banner = $("[data-lost]");
  let lost = null;
  const showLost = () => {
    if (!banner) return;
    if (!lost) { banner.hidden = true; return; }
    const left = Math.max(0, Math.ceil((lost.until - performance.now()) / 1000));
    if (banner.hidden) {
      banner.hidden = false;
      banner.textContent = "";
      const words = document.createElement("span"), again = document.createElement("button");
      again.type = "button";
      again.className = "quiet";
      again.textContent = "Refresh now";
      again.addEventListener("click", () => location.reload());
      banner.append(words, again);
    }
    banner.firstChild.textContent = `Live updates lost, retrying in ${left} s. What you see stays as it was.`;
  };
  document.addEventListener("bitnerve:connection", ({ detail }) => {
    lost = detail.state === "lost" ? { until: performance.now() + 1000 * (detail.retry_in_seconds || 0) } : detail.state === "open" ? null : lost;
    showLost();
  });

  /* Frames: what all pages take from them. Everything else listens to `bitnerve:show`, which heeds the pause. */
  let paused = false, held = null;
  const pause = $("[data-pause]");
  const take = (detail) => {
    const { frame, board } = detail;
    if (board.season && body.season && board.season !== body.season) return;
    // A frame that repeats old values, as whoever comes late is sent, makes nothing fresh: only newer values do.
    if (!(at(frame.at) <= clock.valuesAt)) {
      clock.valuesAt = at(frame.at);
      clock.updated = at(frame.sent_at);
      clock.wall = Math.max(clock.now(), clock.updated);
      clock.market = clock.valuesAt;
      clock.since = performance.now();
    }
    if (known(board.speed)) clock.speed = Number(board.speed);
    if (board.season_state === "FINAL") { clock.closed = true; for (const chip of $$("[data-chip]")) { chip.className = "chip closed"; chip.textContent = ""; const b = document.createElement("b"); b.textContent = "closed"; chip.append(b); } }
    showTick(frame.tick || board.tick);
    showChip();
    if (paused) held = detail;
    else document.dispatchEvent(new CustomEvent("bitnerve:show", { detail }));
  };
  const showTick = (tick) => {
    if (!tick) return;
    if (tick.next_at) clock.next = at(tick.next_at);
    for (const one of $$("[data-tick]")) one.textContent = tick.number;
    for (const one of $$("[data-tick-at]")) { one.dateTime = tick.at; one.textContent = absolute(tick.at); }
    if (tick.next_at) for (const one of $$("[data-next-at]")) { one.dateTime = tick.next_at; one.textContent = tick.next_at.slice(11, 16); }
    const said = tick.state === "SKIPPED" ? `Tick ${tick.number} was skipped, nobody traded: ${tick.reason || "no reason was given"}.`
      : tick.state === "MISSED" ? `Tick ${tick.number} was missed, nobody ran it in time.` : tick.reason ? `Tick ${tick.number}: ${tick.reason}.` : "";
    if (said !== B.said && (said || B.said)) {
      $$(".banner.notice").forEach((one) => one.remove());
      if (said) {
        const notice = document.createElement("div");
        notice.className = "banner notice";
        notice.setAttribute("role", "status");
        notice.textContent = said;
        banner.after(notice);
      }
      B.said = said;
    }
  };
  document.addEventListener("bitnerve:frame", ({ detail }) => take(detail));
  if (pause && body.liveUrl && !clock.closed) {
    pause.hidden = false;
    pause.addEventListener("click", () => {
      paused = !paused;
      pause.setAttribute("aria-pressed", String(paused));
      pause.textContent = paused ? "Resume updates" : "Pause updates";
      if (!paused && held) {
        // Rows that changed meanwhile are in the board as a whole.
        const detail = { ...held, frame: { ...held.frame, rows: held.board.rows } };
        held = null;
        document.dispatchEvent(new CustomEvent("bitnerve:show", { detail }));
      }
    });
  }

  /* The ticker, and the feed of decisions. */
  document.addEventListener("bitnerve:show", ({ detail: { frame } }) => {
    for (const [symbol, price] of Object.entries(frame.prices || {})) {
      const place = $(`[data-symbol="${CSS.escape(symbol)}"] [data-price]`);
      if (place) place.textContent = figures.price(price, place.dataset.tickSize);
    }
    if (frame.decisions && frame.decisions.length) feed(frame.decisions);
  });
  const slugOf = (entry) => entry.toLowerCase().replace(/[^a-z0-9_-]+/g, "-");
  B.slugOf = slugOf;
  let waiting = [];
  const fresh = $("[data-fresh]");
  const feed = (decisions) => {
    for (const list of $$("[data-feed]")) {
      const only = list.dataset.feedEntry, kind = list.dataset.feedKind || "acted";
      const wanted = decisions.filter((one) => (!only || one.entry === only) && (kind === "all" || (kind === "acted" && one.action !== "HOLD")) && !$(`[data-decision="${one.id}"]`, list));
      if (!wanted.length) continue;
      // Who reads further down is not pushed away: a button says how many wait.
      if (fresh && list.getBoundingClientRect().top < 0) {
        waiting.push(...wanted);
        fresh.hidden = false;
        fresh.textContent = `${waiting.length} new`;
      } else wanted.forEach((one) => add(list, one));
    }
  };
  const add = (list, one) => {
    $$(":scope > .empty", list).forEach((empty) => empty.remove());
    const item = document.createElement("li");
    item.dataset.decision = one.id;
    const piece = (tag, kind, text) => { const made = document.createElement(tag); made.className = kind; made.textContent = text; return made; };
    const who = piece("a", "who", one.entry), why = piece("a", "why", one.reason || "no reason given"), when = document.createElement("time");
    who.href = `/agents/${slugOf(one.entry)}/`;
    why.href = `/agents/${slugOf(one.entry)}/decisions/${one.id}/`;
    when.dateTime = one.at;
    when.dataset.age = "";
    const act = piece("b", `act ${one.action.toLowerCase()}`, one.action);
    const sure = known(one.confidence) ? piece("span", "sure", figures.share(one.confidence, 0)) : "";
    if (list.classList.contains("timeline")) {
      const left = piece("div", "when", ""), right = piece("div", "said", "");
      left.append(when);
      right.append(...(list.dataset.feedEntry ? [] : [who, " "]), act, " ", sure, why);
      item.append(left, right);
    } else item.append(who, " ", act, " ", sure, " ", when, why);
    list.prepend(item);
    while (list.children.length > Number(list.dataset.feed)) list.lastElementChild.remove();
    showTimes();
  };
  if (fresh) fresh.addEventListener("click", () => {
    const list = $("[data-feed]");
    waiting.forEach((one) => add(list, one));
    waiting = [];
    fresh.hidden = true;
    list.scrollIntoView({ block: "start" });
  });

  /* Local time. */
  const zoneButton = $("[data-local-time]");
  const showZone = () => {
    zoneButton.setAttribute("aria-pressed", String(local));
    zoneButton.textContent = local ? "Local time" : "UTC";
    showAbsolute();
    $$("time[data-age]").forEach((one) => (one.title = absolute(one.dateTime) + zone()));
  };
  if (zoneButton) {
    zoneButton.hidden = false;
    zoneButton.title = "Switch between UTC and your local time";
    zoneButton.addEventListener("click", () => {
      local = !local;
      try { localStorage.setItem("local-time", local ? "1" : "0"); } catch {}
      showZone();
    });
    if (local) showZone();
  }

  /* Single keys, off in fields and switchable. */
  const dialog = $("[data-help-dialog]"), help = $("[data-help]"), keys = $("[data-keys]");
  let keysOn = true;
  try { keysOn = localStorage.getItem("single-keys") !== "0"; } catch {}
  if (keys) {
    keys.checked = keysOn;
    keys.addEventListener("change", () => { keysOn = keys.checked; try { localStorage.setItem("single-keys", keysOn ? "1" : "0"); } catch {} });
  }
  if (help && dialog.showModal) { help.hidden = false; help.addEventListener("click", () => dialog.showModal()); }
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input:not([type=radio], [type=checkbox]), select, textarea, [contenteditable], dialog")) return;
    if (!keysOn) return;
    if (event.key === "?") { dialog.showModal(); event.preventDefault(); }
    else if (event.key === "/") { const field = $("[data-filter]"); if (field) { field.focus(); field.select(); event.preventDefault(); } }
    else if (event.key === "j" || event.key === "k") {
      const rows = $$("[data-board] tbody tr");
      if (!rows.length) return;
      const here = rows.indexOf(document.activeElement.closest("tr"));
      const next = rows[Math.min(rows.length - 1, Math.max(0, here + (event.key === "j" ? 1 : -1)))];
      next.focus();
      next.scrollIntoView({ block: "nearest" });
      event.preventDefault();
    } else if (event.key === "Enter" && event.target.matches("[data-board] tbody tr")) $("th a", event.target).click();
  });

  /* What is said aloud: politely, and seldom. */
  const announcer = $("[data-announce]");
  B.announce = (text) => { if (announcer) announcer.textContent = text; };

  const beat = () => { showChip(); showCountdown(); if (lost) showLost(); };
  beat();
  showTimes();
  setInterval(beat, 1000);
  setInterval(showTimes, 5000);
})();
