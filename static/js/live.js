// How does a page stay true to a season that goes on? Opens the arena's socket, puts every frame together into one
// board, and tells the page: `bitnerve:frame` {frame, board} and `bitnerve:connection` {state, retry_in_seconds}.
"use strict";
(() => {
  const place = document.body.dataset.liveUrl;
  if (!place) return;
  const url = new URL(place, location.href);
  url.protocol = url.protocol.replace("http", "ws");

  // While a season moves, a frame comes every second; while it stands still, its board is repeated every 15 s.
  const SILENCE_MOVING = 6000, SILENCE_STILL = 40000, ANSWER = 5000, GAP = 2000;
  const RETRY_FIRST = 500, RETRY_MOST = 4000, RETRY_LATER = 15000, PATIENCE = 300000, DECISIONS = 20;
  const NO_SUCH_ARENA = 4004, OVER = 4010;

  let socket = null, board = null, seen = new Set(), pointsAt = null, state = "";
  let timer = 0, attempts = 0, openedAt = 0, heardAt = 0, gapAt = 0, lostAt = 0;
  let staleSeq = null; // The last frame before a cut: hearing it again is no news.
  let over = false;

  const now = () => performance.now();
  const isMoving = () => board !== null && board.season_state === "LIVE" && board.speed > 0;
  const tell = (name, detail) => document.dispatchEvent(new CustomEvent(name, { detail }));

  function say(next, seconds = null) {
    if (next === state && seconds === null) return;
    state = next;
    tell("bitnerve:connection", { state, retry_in_seconds: seconds });
  }

  function connect() {
    clearTimeout(timer);
    timer = 0;
    say("connecting");
    openedAt = now();
    heardAt = gapAt = 0;
    const mine = socket = new WebSocket(url);
    mine.onmessage = (event) => { if (mine === socket) hear(event.data); };
    mine.onclose = (event) => { if (mine === socket) lose(event.code); };
  }

  function drop() {
    const old = socket;
    socket = null;
    if (old) old.close();
  }

  // Twice as long after every failure, and never quite the same: thousands who were cut at once come back one by one.
  function lose(code) {
    drop();
    if (code === OVER) { over = true; return; }
    lostAt = lostAt || now();
    if (board !== null) staleSeq = board.seq;
    const most = code === NO_SUCH_ARENA || now() - lostAt > PATIENCE ? RETRY_LATER : RETRY_MOST;
    const wait = Math.min(most, RETRY_FIRST * 2 ** attempts) * (0.5 + Math.random() / 2);
    attempts = Math.min(attempts + 1, 10);
    clearTimeout(timer);
    timer = setTimeout(connect, wait);
    say("lost", Math.ceil(wait / 1000));
  }

  function hear(text) {
    let frame;
    try { frame = JSON.parse(text); } catch { lose(0); return; }
    heardAt = now();
    if (frame.type === "snapshot") {
      replace(frame);
      gapAt = 0;
    } else if (gapAt || board === null || frame.seq !== board.seq + 1) {
      if (board === null || frame.seq > board.seq) gapAt = gapAt || now();
      return;
    } else {
      add(frame);
    }
    if (staleSeq === null || board.seq !== staleSeq || !isMoving()) {
      staleSeq = null;
      lostAt = attempts = 0;
      say("open");
    }
    tell("bitnerve:frame", { frame, board });
  }

  // An entry may be called anything, `__proto__` too: rows live in objects that inherit nothing.
  const bare = (parts) => Object.assign(Object.create(null), parts);

  function replace(frame) {
    board = { ...frame, rows: bare(frame.rows), prices: bare(frame.prices) };
    delete board.type;
    tellOnce(frame);
  }

  function add(frame) {
    const { type, rows, prices, decisions, ...whole } = frame;
    Object.assign(board, whole);
    for (const [entry, row] of Object.entries(rows || {})) board.rows[entry] = { ...board.rows[entry], ...row };
    Object.assign(board.prices, prices);
    tellOnce(frame);
    board.decisions = [...board.decisions, ...frame.decisions].slice(-DECISIONS);
  }

  // A snapshot repeats the newest decisions and points; the page is told each of them once.
  function tellOnce(frame) {
    frame.decisions = (frame.decisions || []).filter((decision) => !seen.has(decision.id));
    seen = new Set([...seen, ...frame.decisions.map((decision) => decision.id)].slice(-10 * DECISIONS));
    if (!frame.points) return;
    if (frame.points.at === pointsAt) delete frame.points; else pointsAt = frame.points.at;
  }

  function isCut() {
    if (heardAt === 0) return now() - openedAt > ANSWER;
    if (gapAt && now() - gapAt > GAP) return true;
    return now() - heardAt > (isMoving() ? SILENCE_MOVING : SILENCE_STILL);
  }

  function check() {
    if (socket !== null && isCut()) lose(0);
  }

  // Whoever comes back to the page, or to the network, does not wait for a timer that has slept as well.
  function wake() {
    if (over || document.visibilityState === "hidden") return;
    if (socket === null) connect(); else check();
  }

  function rest() {
    drop();
    clearTimeout(timer);
    timer = 0;
  }

  setInterval(check, 1000);
  document.addEventListener("visibilitychange", wake);
  document.addEventListener("resume", wake);
  addEventListener("online", wake);
  addEventListener("pagehide", rest);
  addEventListener("pageshow", (event) => { if (event.persisted) wake(); });
  connect();
})();
