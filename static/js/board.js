/* Rows that move: cells change at once, with one flash; their order changes seldom, and never under a hand. */
(() => {
  "use strict";
  const B = window.BitNerve, F = B.figures;
  const $ = (selector, from = document) => from.querySelector(selector);
  const $$ = (selector, from = document) => [...from.querySelectorAll(selector)];
  const REORDER_MS = 5000, ANNOUNCE_MS = 30000;

  const WRITE = {
    rank: (v) => v, equity: F.money, total_return: F.percent, excess_return: F.points, sharpe: F.ratio,
    drawdown_max: (v) => F.share(v), drawdown_now: (v) => F.share(v), trades: (v) => v, win_rate: (v) => F.share(v, 0),
    fees: F.money, funding: F.change, last_action: (v) => (v ? String(v).toLowerCase().replaceAll("_", " ") : "–"), state: (v) => String(v).toLowerCase(),
    profit_factor_plain: F.money,
  };
  const MOVES = new Set(["total_return", "excess_return"]);

  const write = (row, field, value) => {
    const place = $(`[data-field="${field}"]`, row);
    if (!place || !WRITE[field]) return;
    const text = String(WRITE[field](value));
    if (MOVES.has(field)) { place.classList.toggle("up", value > 0); place.classList.toggle("dn", value < 0); }
    if (field === "state") place.className = `dot ${text}`;
    if (place.title && B.known(value) && field !== "state") place.title = String(value);
    if (place.textContent === text) return;
    const fell = field === "equity" && Number(place.dataset.value) > Number(value);
    place.dataset.value = value;
    place.textContent = text;
    if (field === "equity" || field === "total_return") flash(place, fell);
  };
  const flash = (place, fell) => {
    place.classList.remove("flash");
    void place.offsetWidth;
    place.classList.add("flash");
    place.classList.toggle("fell", fell);
  };

  const exposure = (row, values) => {
    if (!B.known(values.exposure_gross)) return;
    const gross = Number(values.exposure_gross), net = Number(values.exposure_net || 0);
    const place = $('[data-field="exposure"]', row);
    if (place) place.textContent = F.times(gross);
    const [long, short] = $$(".bar path", row);
    if (!short) return;
    const wide = (share) => Math.round(30 * Math.min(1, share / Math.max(2, gross)));
    long.setAttribute("d", `M30 3h${wide((gross + net) / 2)}`);
    short.setAttribute("d", `M30 3h-${wide((gross - net) / 2)}`);
  };

  const dirty = new Map();
  document.addEventListener("bitnerve:show", ({ detail: { frame, board } }) => {
    for (const [name, values] of Object.entries(frame.rows || {})) {
      for (const row of $$(`[data-entry="${CSS.escape(name)}"]`)) {
        for (const [field, value] of Object.entries(values)) write(row, field, value);
        if ("profit_factor" in values) {
          write(row, "profit_factor_plain", values.profit_factor);
          const place = $('[data-field="profit_factor"]', row);
          if (place) place.title = `profit factor ${F.money(values.profit_factor)}`;
        }
        const merged = (board.rows || {})[name] || values;
        if ("exposure_gross" in values || "exposure_net" in values) exposure(row, merged);
        if (values.last_action_at) lastAction(row, values.last_action_at);
      }
      dirty.set(name, true);
    }
    if (frame.at) for (const place of $$("[data-as-of] time")) { place.dateTime = frame.at; place.textContent = B.absolute(frame.at); }
    schedule(board);
  });
  const lastAction = (row, at) => {
    const cell = $('[data-field="last_action"]', row);
    if (!cell) return;
    let time = $("time", cell.parentElement);
    if (!time) {
      const small = document.createElement("small");
      time = document.createElement("time");
      time.dataset.age = "";
      small.append(time);
      cell.after(small);
    }
    time.dateTime = at;
    time.title = "";
    time.textContent = F.since(Math.max(0, (B.clock.marketNow() - Date.parse(at)) / 1000));
  };

  /* Order. */
  let reordered = -Infinity, timer = 0, newest = null;
  const schedule = (board) => {
    newest = board;
    if (timer) return;
    timer = setTimeout(() => { timer = 0; reorder(); }, Math.max(0, reordered + REORDER_MS - performance.now()));
  };
  const valueOf = (values, key) => {
    if (!values) return null;
    if (key === "costs") return B.known(values.fees) && B.known(values.funding) ? Number(values.fees) - Number(values.funding) : null;
    if (key === "last_action_at") return values.last_action_at ? Date.parse(values.last_action_at) : null;
    return B.known(values[key]) ? Number(values[key]) : null;
  };
  const reorder = () => {
    const place = $("[data-board]"), body = place && $("tbody", place);
    if (!body || !newest || !newest.rows) return;
    const key = place.dataset.sort, sign = place.hasAttribute("data-descending") ? -1 : 1;
    if (key === "name" || key === "holding_ms_median") return;
    const rows = [...body.rows], of = (row) => newest.rows[row.dataset.entry];
    if (!rows.every((row) => of(row))) return;
    const wanted = [...rows].sort((a, b) => {
      const x = valueOf(of(a), key), y = valueOf(of(b), key);
      if (x === null || y === null) return (x === null) - (y === null) || of(a).rank - of(b).rank;
      return sign * (x - y) || of(a).rank - of(b).rank;
    });
    // The row under the pointer or with the focus keeps its place; the others are dealt around it.
    const fixed = rows.findIndex((row) => row.matches(":hover, :focus-within, :focus"));
    if (fixed >= 0) { wanted.splice(wanted.indexOf(rows[fixed]), 1); wanted.splice(fixed, 0, rows[fixed]); }
    reordered = performance.now();
    if (!wanted.some((row, index) => row !== rows[index])) return;
    // A row that is taken out loses its focus: the held one stays where it is, the others go around it.
    const pin = rows[fixed];
    if (pin) wanted.forEach((row, index) => { if (index < fixed) body.insertBefore(row, pin); else if (index > fixed) body.append(row); });
    else wanted.forEach((row, index) => { if (body.rows[index] !== row) body.insertBefore(row, body.rows[index] || null); });
  };

  /* Rank changes are told politely, at most every thirty seconds. */
  let told = -Infinity;
  const ranks = new Map();
  document.addEventListener("bitnerve:show", ({ detail: { board } }) => {
    const rows = Object.entries(board.rows || {});
    if (!rows.length) return;
    const changed = [];
    for (const [name, { rank }] of rows) {
      if (ranks.has(name) && ranks.get(name) !== rank) changed.push([rank, name]);
      if (!ranks.has(name)) ranks.set(name, rank);
    }
    if (!changed.length || performance.now() - told < ANNOUNCE_MS) return;
    told = performance.now();
    for (const [name, { rank }] of rows) ranks.set(name, rank);
    changed.sort((a, b) => a[0] - b[0]);
    const words = changed.slice(0, 3).map(([rank, name]) => `${name} is now ${rank}`);
    B.announce(words.join(", ") + (changed.length > 3 ? `, and ${changed.length - 3} more places changed` : ""));
  });

  // A swap by htmx says the new order itself; what is in the address must be what is on the page.
  document.addEventListener("htmx:after:swap", () => { const sort = $('select[name="sort"]'), board = $("[data-board]"); if (sort && board) sort.value = (board.hasAttribute("data-descending") ? "-" : "") + board.dataset.sort; });
})();
