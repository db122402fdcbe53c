/* An agent's account: equity with its trades, drawdown below, exposure below that, on one axis of time. */
(() => {
  "use strict";
  const B = window.BitNerve, F = B.figures, C = B.chart;
  const $ = (selector, from = document) => from.querySelector(selector);
  const section = $("[data-agent-chart]"), plot = section && $("[data-plot]", section);
  if (!plot || !window.uPlot) return;
  const legendAt = $("[data-legend-at]", section), quiet = legendAt.textContent;
  const name = $("[data-entry]").dataset.entry;
  let range = section.dataset.range, told = null, charts = [];

  const load = async () => {
    let answer;
    try { answer = await fetch(`${section.dataset.agentChart}?season=${section.dataset.seasonSlug}&range=${range}`); } catch { return; }
    if (!answer.ok) return;
    const raw = await answer.json();
    told = {
      seconds: C.sums(raw.seconds), capital: raw.capital, equity: C.sums(raw.equity, 100), drawdown: C.sums(raw.drawdown, -100),
      long: C.sums(raw.long, 1000), short: C.sums(raw.short, -1000), markers: raw.markers,
    };
    if (told.seconds.length) draw();
  };

  const draw = () => {
    if (!told || !told.seconds.length) return;
    charts.forEach((one) => one.destroy());
    const width = plot.clientWidth, height = plot.clientHeight, axis = width < 560 ? 60 : 68;
    const heights = [0.58, 0.19, 0.23].map((part) => Math.floor(part * height));
    const base = { width, padding: [8, 22, 0, 0], legend: { show: false }, tzDate: (at) => uPlot.tzDate(new Date(at * 1000), "UTC"), cursor: { sync: { key: "agent" }, drag: { x: false, y: false }, points: { size: 6 } } };
    const time = { ...C.time() }, none = { ...C.time(), size: 4, values: () => [] };
    const area = (stroke, wash) => ({ stroke, fill: wash, width: 1, points: { show: false } });
    const splits = (most) => (u, number, low, high) => { const [found, decimals] = C.ticks(low, high, most); u.decimals = decimals; return found; };
    const [gain, loss, gainWash, lossWash] = ["gain", "loss", "gain-wash", "loss-wash"].map(C.token);
    const make = (options, data, top) => {
      const made = new uPlot({ ...base, ...options }, data, plot);
      // Not by a style in the markup: the policy allows what a script sets.
      Object.assign(made.root.style, { top: `${top}px`, bottom: "auto", height: `${options.height}px` });
      return made;
    };
    const pad = (u, low, high) => { const margin = (high - low) * 0.08 || 1; return [low - margin, high + margin]; };
    charts = [
      make({ height: heights[0], scales: { x: { time: true }, y: { range: pad } }, axes: [none, { ...C.axis(), size: axis, splits: splits(6), values: (u, found) => found.map((one) => F.number(one, u.decimals)) }],
        series: [{}, { stroke: C.token("c0"), width: 2, points: { show: false } }, { stroke: C.token("muted"), width: 1, dash: [1, 4], points: { show: false } }],
        hooks: { draw: [marks], setCursor: [(u) => say(u.cursor.idx)] } }, [told.seconds, told.equity, told.seconds.map(() => told.capital)], 0),
      make({ height: heights[1], scales: { x: { time: true }, y: { range: (u, low) => [Math.min(low, -1) * 1.1, 0] } }, axes: [none, { ...C.axis(), size: axis, splits: splits(3), values: (u, found) => found.map((one) => F.number(one, u.decimals) + " %") }],
        series: [{}, { ...area(loss, lossWash), fillTo: 0 }] }, [told.seconds, told.drawdown], heights[0]),
      make({ height: heights[2], scales: { x: { time: true }, y: { range: (u, low, high) => { const most = Math.max(high, -low, 0.1) * 1.1; return [-most, most]; } } }, axes: [time, { ...C.axis(), size: axis, splits: splits(3), values: (u, found) => found.map((one) => F.number(Math.abs(one), u.decimals) + "×") }],
        series: [{}, { ...area(gain, gainWash), fillTo: 0 }, { ...area(loss, lossWash), fillTo: 0 }] }, [told.seconds, told.long, told.short], heights[0] + heights[1]),
    ];
    plot.classList.add("drawn");
  };

  const placed = (u) => told.markers.filter((one) => one[0] >= told.seconds[0]).map((one) => {
    const at = Math.min(one[0], told.seconds.at(-1)), index = Math.max(0, told.seconds.findIndex((second) => second >= at));
    return [u.valToPos(at, "x", true), u.valToPos(told.equity[index], "y", true), one];
  });
  const marks = (u) => {
    const context = u.ctx, size = (plot.clientWidth < 560 ? 3.2 : 5) * devicePixelRatio, gain = C.token("gain"), loss = C.token("loss"), bad = C.token("bad");
    context.save();
    const last = {};
    for (const [x, y, [, kind]] of placed(u)) {
      // Where they crowd, one stands for its neighbors of the same kind.
      if (kind !== "liquidation" && x - (last[kind] ?? -Infinity) < size) continue;
      last[kind] = x;
      context.beginPath();
      if (kind === "liquidation") {
        context.strokeStyle = bad;
        context.lineWidth = 2.5 * devicePixelRatio;
        context.moveTo(x - size, y - size); context.lineTo(x + size, y + size); context.moveTo(x + size, y - size); context.lineTo(x - size, y + size);
        context.stroke();
        continue;
      }
      const side = kind === "open" ? -1 : 1;
      context.moveTo(x, y + side * 2.4 * size); context.lineTo(x - size, y + side * 0.8 * size); context.lineTo(x + size, y + side * 0.8 * size);
      context.closePath();
      context.fillStyle = kind === "open" ? gain : loss;
      context.fill();
    }
    context.restore();
  };

  const say = (index) => {
    if (index === null || index === undefined) { legendAt.textContent = quiet; return; }
    legendAt.textContent = `${B.absolute(new Date(told.seconds[index] * 1000).toISOString())}: ${F.money(told.equity[index])}, drawdown ${F.number(-told.drawdown[index], 1)} %, long ${F.times(told.long[index])}, short ${F.times(-told.short[index])}`;
  };
  const nearest = (u, x, y) => {
    let best = null, least = 18 * devicePixelRatio;
    for (const [mx, my, one] of placed(u)) {
      const far = Math.hypot(mx - x, my - y);
      if (far < least) [best, least] = [one, far];
    }
    return best;
  };
  const under = (event) => {
    const u = charts[0];
    if (!u) return null;
    const box = u.root.getBoundingClientRect();
    return nearest(u, (event.clientX - box.left) * devicePixelRatio, (event.clientY - box.top) * devicePixelRatio);
  };
  plot.addEventListener("mousemove", (event) => { const one = under(event); plot.title = one ? one[2] : ""; plot.classList.toggle("over-line", Boolean(one)); });
  plot.addEventListener("click", (event) => { const one = under(event); if (one && one[3]) location.href = section.dataset.decisions + one[3] + "/"; });

  C.keys(plot, () => charts[0], (u, index) => { say(index); B.announce(legendAt.textContent); });
  C.toggles($("[data-toggles]", section), (wanted) => { range = wanted.range; load(); });
  let loading = 0;
  document.addEventListener("bitnerve:show", ({ detail: { frame } }) => {
    // Drawdown and exposure come from the server's points: after a tick they are fetched, not worked out here.
    if (!frame.points || frame.points[name] === undefined) return;
    clearTimeout(loading);
    loading = setTimeout(load, 1500);
  });
  C.fit(plot, draw);
  load();
})();
