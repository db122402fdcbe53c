/* The race: takes over from the drawing in the page, follows the ticks, and tells values under the crosshair. */
(() => {
  "use strict";
  const B = window.BitNerve, F = B.figures, C = B.chart;
  const $ = (selector, from = document) => from.querySelector(selector);
  const section = $("[data-race]"), plot = section && $("[data-plot]", section);
  if (!plot || !window.uPlot) return;
  const legend = $("[data-legend]", section), legendAt = $("[data-legend-at]", section);
  const view = { unit: section.dataset.unit, range: section.dataset.range, scale: section.dataset.scale };
  const capital = Number(section.dataset.capital);
  let race = null, chart = null, focused = null;

  const shown = (value) => (value === null ? null : view.unit === "pct" ? (view.scale === "log" ? value / capital : 100 * (value / capital - 1)) : value);
  const axisText = (splits, decimals) => splits.map((one) => (view.unit === "pct" ? F.number(one, decimals, true) + " %" : F.number(one, decimals)));

  const load = async () => {
    const query = new URLSearchParams();
    query.set("range", view.range);
    query.set("season", section.dataset.seasonNumber);
    for (const name of new URLSearchParams(location.search).getAll("agent")) query.append("agent", name);
    let answer;
    try { answer = await fetch(`${section.dataset.race}?${query}`); } catch { return; }
    if (!answer.ok) return;
    const told = await answer.json();
    race = { seconds: C.sums(told.seconds), lines: told.lines.map((line) => ({ ...line, values: C.sums(line.cents, 100) })) };
    if (race.seconds.length) draw();
  };

  const narrow = () => plot.clientWidth < 560;
  const labelOf = (line) => `${line.name.length > 20 ? line.name.slice(0, 19) + "…" : line.name}  ${F.number(lastOf(line), 0)}`;
  const lastOf = (line) => line.values.findLast((one) => one !== null) ?? null;

  const measure = document.createElement("canvas").getContext("2d");
  const rightOf = () => {
    if (narrow()) return 46;
    measure.font = "600 12px system-ui, sans-serif";
    return 14 + Math.max(...race.lines.map((line) => measure.measureText(labelOf(line)).width));
  };
  const splits = (u, axis, low, high) => {
    const log = view.scale === "log", percent = view.unit === "pct";
    const say = (v) => (percent && log ? 100 * (v - 1) : v), unsay = (v) => (percent && log ? 1 + v / 100 : v);
    const [found, decimals] = C.ticks(say(low), say(high), narrow() ? 5 : 7);
    u.decimals = decimals;
    u.said = found;
    return found.map(unsay).filter((one) => !log || one > 0);
  };

  const draw = () => {
    if (!race || !race.seconds.length) return;
    const kept = chart && chart.cursor.idx;
    if (chart) chart.destroy();
    const data = [race.seconds, ...race.lines.map((line) => line.values.map(shown)), race.seconds.map(() => shown(capital))];
    chart = new uPlot({
      width: plot.clientWidth, height: plot.clientHeight, padding: [10, rightOf(), 0, 0], legend: { show: false }, tzDate: (at) => uPlot.tzDate(new Date(at * 1000), "UTC"),
      cursor: { drag: { x: false, y: false }, focus: { prox: 18 }, points: { size: 6 } }, focus: { alpha: 0.35 },
      scales: { x: { time: true }, y: { distr: view.scale === "log" ? 3 : 1, range: (u, low, high) => { const margin = view.scale === "log" ? 0 : (high - low) * 0.06 || 1; return view.scale === "log" ? [low * 0.997, high * 1.003] : [low - margin, high + margin]; } } },
      axes: [C.time(), { ...C.axis(), size: narrow() ? 58 : 66, splits, values: (u) => axisText(u.said, u.decimals) }],
      series: [{}, ...race.lines.map((line) => { const look = C.look(line.look); return { label: line.name, stroke: look.color, dash: look.dash, width: look.width, points: { show: false }, spanGaps: false }; }),
        { label: "start", stroke: C.token("muted"), width: 1, dash: [1, 4], points: { show: false } }],
      hooks: { draw: [ends], setCursor: [(u) => say(u.cursor.idx)], setSeries: [(u, index) => { focused = index; plot.classList.toggle("over-line", index !== null && index <= race.lines.length); }] },
    }, data, plot);
    plot.classList.add("drawn");
    if (kept !== null && kept !== undefined) say(kept);
    else say(null);
  };

  const ends = (u) => {
    const context = u.ctx, ratio = devicePixelRatio, box = u.bbox;
    const lines = race.lines.map((line) => [line, lastOf(line)]).filter((one) => one[1] > 0).sort((a, b) => b[1] - a[1]);
    const rows = C.spread(lines.map(([, value]) => u.valToPos(shown(value), "y", true)), 14 * ratio, box.top, box.top + box.height);
    context.save();
    context.font = `600 ${12 * ratio}px system-ui, sans-serif`;
    context.textAlign = "left";
    context.textBaseline = "middle";
    lines.forEach(([line, value], number) => {
      context.fillStyle = line.look.startsWith("grey") ? C.token("muted") : C.token(line.look.split(" ")[0]);
      context.fillText(narrow() ? F.percent(value / capital - 1).slice(0, -2) : labelOf(line), box.left + box.width + 6 * ratio, rows[number]);
    });
    context.restore();
  };

  const items = new Map([...legend.children].map((item) => [item.dataset.line, item]));
  const say = (index) => {
    const newest = index === null || index === undefined;
    const at = newest ? race.seconds.length - 1 : index;
    legendAt.textContent = newest ? "newest values" : B.absolute(new Date(race.seconds[at] * 1000).toISOString());
    const values = race.lines.map((line) => [line, newest ? lastOf(line) : line.values[at]]).sort((a, b) => (b[1] ?? -Infinity) - (a[1] ?? -Infinity));
    values.forEach(([line, value], number) => {
      const item = items.get(line.name);
      if (!item) return;
      $("b", item).textContent = view.unit === "pct" && value !== null ? F.percent(value / capital - 1) : F.money(value);
      if (legend.children[number] !== item && !legend.matches(":focus-within")) legend.insertBefore(item, legend.children[number]);
    });
    return values;
  };

  C.keys(plot, () => chart, (u, index) => {
    const best = say(index).filter((one) => one[1] !== null).slice(0, 3);
    B.announce(`${legendAt.textContent}: ${best.map(([line, value]) => `${line.name} ${F.money(value)}`).join(", ")}`);
  });
  plot.addEventListener("click", () => {
    const line = focused && race && race.lines[focused - 1];
    if (line && line.slug) location.href = `/agents/${line.slug}/`;
  });
  C.toggles($("[data-toggles]", section), (wanted) => {
    const again = wanted.range !== view.range;
    Object.assign(view, { unit: wanted.unit, scale: wanted.scale, range: wanted.range });
    if (again) load();
    else draw();
  });
  const picker = $("[data-picker]", section);
  if (picker) {
    const limit = () => {
      const full = picker.querySelectorAll("[name=agent]:checked").length >= 11;
      for (const box of picker.querySelectorAll("[name=agent]")) box.disabled = full && !box.checked;
    };
    picker.addEventListener("change", limit);
    limit();
  }

  document.addEventListener("bitnerve:show", ({ detail: { frame } }) => {
    const points = frame.points;
    if (!points || !race || !race.seconds.length) return;
    const at = Date.parse(points.at) / 1000;
    if (!(at > race.seconds.at(-1))) return;
    const hold = race.lines.find((line) => !line.slug);
    race.seconds.push(at);
    for (const line of race.lines) line.values.push(points[line.name] === undefined ? null : Number(points[line.name]));
    // Bitcoin moves by its mark since the point before: its line is a reference, no account.
    if (hold) {
      const price = frame.prices && Object.entries(frame.prices).find(([symbol]) => symbol.startsWith("BTC"));
      const before = hold.values.at(-2);
      hold.values[hold.values.length - 1] = price && hold.price && before ? (before * Number(price[1])) / hold.price : before;
      if (price) hold.price = Number(price[1]);
    }
    draw();
  });
  C.fit(plot, draw);
  load();
})();
