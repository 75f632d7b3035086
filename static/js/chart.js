// Charts: equity as an area above and below what was put in, bars as candles with the fills on them.
(() => {
  const { createChart, createSeriesMarkers, BaselineSeries, CandlestickSeries, LineSeries, LineStyle, TickMarkType } = window.LightweightCharts;
  // A variable may hold the colours of both themes; an element that wears it has the one that counts.
  const probe = document.body.appendChild(document.createElement("span"));
  probe.hidden = true;

  function css(name) {
    probe.style.color = `var(${name})`;
    return getComputedStyle(probe).color;
  }

  const second = (time) => Math.floor(typeof time === "string" ? Date.parse(time) / 1000 : time);
  const charts = new Map();
  const { stamp } = window.alphaswarm;

  // The scale has its marks where days and hours begin in UTC. Elsewhere a day's mark is no midnight, and says its hour.
  function tick(at, kind) {
    const { date, time } = stamp(at * 1000);
    if (kind === TickMarkType.Time) return time.slice(0, 5);
    if (kind === TickMarkType.TimeWithSeconds) return time;
    if (time !== "00:00:00") return `${date.slice(5)} ${time.slice(0, 5)}`;
    return kind === TickMarkType.Year ? date.slice(0, 4) : kind === TickMarkType.Month ? date.slice(0, 7) : date.slice(5);
  }

  function layout() {
    const faint = { color: css("--line"), visible: true };
    return {
      layout: {
        background: { color: "transparent" },
        textColor: css("--ink-3"),
        fontFamily: getComputedStyle(document.body).fontFamily,
        fontSize: 11,
        attributionLogo: false,
      },
      grid: { horzLines: faint, vertLines: { visible: false } },
      rightPriceScale: { borderVisible: false, scaleMargins: { top: 0.12, bottom: 0.08 } },
      timeScale: {
        borderColor: css("--line"), timeVisible: true, secondsVisible: true, minBarSpacing: 0.05, tickMarkFormatter: tick,
      },
      crosshair: { vertLine: { labelBackgroundColor: css("--ink-2") }, horzLine: { labelBackgroundColor: css("--ink-2") } },
      handleScroll: { mouseWheel: false, vertTouchDrag: false },
      handleScale: { mouseWheel: false },
      localization: {
        priceFormatter: (value) => value.toLocaleString("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 }),
        timeFormatter: (at) => {
          const { date, time, zone } = stamp(at * 1000);
          return `${date} ${time} ${zone}`;
        },
      },
    };
  }

  // Where the line runs and what is shaded tell a gain from a loss; the line itself is neutral.
  const equityColours = () => ({
    topLineColor: css("--ink-2"),
    topFillColor1: css("--gain-wash"),
    topFillColor2: css("--gain-wash"),
    bottomLineColor: css("--ink-2"),
    bottomFillColor1: css("--loss-wash"),
    bottomFillColor2: css("--loss-wash"),
  });

  // Hollow bodies rise and full ones fall: shape before colour.
  const candleColours = () => ({
    upColor: css("--sheet"),
    borderUpColor: css("--ink-3"),
    wickUpColor: css("--ink-3"),
    downColor: css("--ink-3"),
    borderDownColor: css("--ink-3"),
    wickDownColor: css("--ink-3"),
  });

  // The library takes one point a second, in order; of several the last counts.
  function ascending(points) {
    const kept = [];
    for (const point of points) {
      if (kept.length && kept.at(-1).time >= point.time) kept.pop();
      if (!kept.length || kept.at(-1).time < point.time) kept.push(point);
    }
    return kept;
  }

  class Shown {
    constructor(holder, kind, colours, options) {
      this.holder = holder;
      this.colours = colours;
      this.chart = createChart(holder, { autoSize: true, ...layout() });
      this.series = this.chart.addSeries(kind, { lineWidth: 1.5, priceLineVisible: false, ...options, ...colours() });
      this.last = -Infinity;
      this.beside = [];
      charts.set(holder, this);
    }

    set(points) {
      const kept = ascending(points);
      this.series.setData(kept);
      this.last = kept.at(-1)?.time ?? -Infinity;
      this.holder.querySelector(".chart__empty")?.toggleAttribute("hidden", kept.length > 0);
      this.chart.timeScale().fitContent();
    }

    // Another line on the same scale, which never moves.
    addBeside(points, colours, options = { lineWidth: 1, lineStyle: LineStyle.Dashed, lastValueVisible: false }) {
      const series = this.chart.addSeries(LineSeries, { priceLineVisible: false, ...options, ...colours() });
      series.setData(ascending(points));
      this.beside.push({ series, colours });
      this.chart.timeScale().fitContent();
    }

    add(point) {
      if (!(point.time >= this.last)) return;
      this.last = point.time;
      this.series.update(point);
      this.holder.querySelector(".chart__empty")?.setAttribute("hidden", "");
    }

    repaint() {
      this.chart.applyOptions(layout());
      this.series.applyOptions(this.colours());
      for (const { series, colours } of this.beside) series.applyOptions(colours());
    }
  }

  const asPoint = ([time, value]) => ({ time: second(time), value });

  async function load(holder) {
    const answer = await fetch(holder.dataset.chart, { headers: { Accept: "application/json" } });
    if (!answer.ok) throw new Error(`the chart's data could not be read: ${answer.status}`);
    return answer.json();
  }

  async function mountEquity(holder) {
    const baseValue = { type: "price", price: Number(holder.dataset.base) };
    const shown = new Shown(holder, BaselineSeries, equityColours, { baseValue, lineWidth: 2 });
    shown.set((await load(holder)).equity.map(asPoint));
    const { kind } = holder.dataset;
    if (kind) {
      document.body.addEventListener("portfolio", ({ detail }) => addTotal(shown, kind, detail));
    } else {
      document.body.addEventListener("frame", ({ detail }) => addEquity(shown, detail));
    }
  }

  function addTotal(shown, kind, frame) {
    const total = frame.portfolio?.totals[kind];
    if (!total) return;
    const times = frame.portfolio.accounts.filter((one) => one.kind === kind && one.open && one.time).map((one) => one.time);
    if (times.length) shown.add({ time: second(times.sort().at(-1)), value: Number(total.equity) });
  }

  function addEquity(shown, frame) {
    if (frame.stage === "equity.update") shown.add({ time: second(frame.timestamp), value: Number(frame.equity) });
  }

  const asBar = ({ time, open, high, low, close }) => ({ time: second(time), open, high, low, close });

  // With more fills than this their prices would cover each other, and the arrows alone stay.
  const MOST_PRICED = 40;

  function mark(markers, fills) {
    const drawn = fills.map(asMarker);
    if (drawn.length > MOST_PRICED) for (const one of drawn) delete one.text;
    markers.setMarkers(drawn);
  }

  const asMarker = ({ time, side, price }) => ({
    time: second(time),
    position: side === "buy" ? "belowBar" : "aboveBar",
    shape: side === "buy" ? "arrowUp" : "arrowDown",
    color: css("--accent"),
    text: price.toFixed(2),
  });

  const byTime = (one, other) => one.time - other.time;

  async function mountBars(holder) {
    const shown = new Shown(holder, CandlestickSeries, candleColours, {});
    const markers = createSeriesMarkers(shown.series, []);
    const choice = document.querySelector("[data-chart-symbol]");
    const bars = new Map();
    const fills = new Map();
    // The socket begins with what was shown before, so a bar or a fill may come a second time.
    const keepBar = (symbol, bar) => {
      if (!bars.has(symbol)) bars.set(symbol, new Map());
      bars.get(symbol).set(second(bar.time), asBar(bar));
    };
    const fillsOf = (symbol) => [...fills.values()].filter((fill) => fill.symbol === symbol).sort(byTime);
    const show = () => {
      shown.set([...(bars.get(choice.value)?.values() ?? [])].sort(byTime));
      mark(markers, fillsOf(choice.value));
    };
    const data = await load(holder);
    for (const [symbol, known] of Object.entries(data.bars)) for (const bar of known) keepBar(symbol, bar);
    for (const fill of data.fills) fills.set(fill.id, fill);
    choice.addEventListener("change", show);
    show();
    document.body.addEventListener("frame", ({ detail: frame }) => {
      if (frame.stage === "bar.received") {
        const bar = { ...frame, time: frame.timestamp };
        keepBar(frame.symbol, bar);
        if (frame.symbol === choice.value) shown.add(asBar(bar));
      } else if (frame.stage === "order.filled") {
        const { execution_id: id, symbol, side } = frame;
        fills.set(id, { id, symbol, side, time: second(frame.timestamp), price: Number(frame.price) });
        mark(markers, fillsOf(choice.value));
      }
    });
  }

  const holdingColours = () => ({ color: css("--ink-2") });

  // Beside another line, that of the run stands out.
  const runColours = () => ({ ...equityColours(), topLineColor: css("--ink"), bottomLineColor: css("--ink") });

  const drawdownColours = () => ({ ...equityColours(), bottomLineColor: css("--loss") });

  // Equity beside buying and holding, or the drawdown, of a run as it stands.
  async function mountLines(holder) {
    const baseValue = { type: "price", price: Number(holder.dataset.base) };
    const { lines } = holder.dataset;
    const colours = lines === "drawdown" ? drawdownColours : runColours;
    const shown = new Shown(holder, BaselineSeries, colours, { baseValue });
    const data = await load(holder);
    shown.set(data[lines].map(asPoint));
    if (lines === "equity" && data.holding.length) shown.addBeside(data.holding.map(asPoint), holdingColours);
  }

  // Several runs from one base. Each line has a letter at its end and dashes of its own, so that no colour is needed.
  const DASHES = [LineStyle.Solid, LineStyle.Dotted, LineStyle.Dashed, LineStyle.LargeDashed, LineStyle.SparseDotted];

  async function mountCompare(holder) {
    const { lines } = await load(holder);
    const look = (at) => () => ({ color: css(`--series-${at + 1}`) });
    const [first, ...others] = lines.map(({ name, points }, at) => {
      return { options: { title: name, lineStyle: DASHES[at], lineWidth: 2 }, points: points.map(asPoint), look: look(at) };
    });
    if (!first) return;
    const shown = new Shown(holder, LineSeries, first.look, first.options);
    shown.set(first.points);
    for (const { points, look: colours, options } of others) shown.addBeside(points, colours, options);
  }

  // The prices of a run as it stands, one symbol at a time.
  async function mountPrices(holder) {
    const shown = new Shown(holder, CandlestickSeries, candleColours, {});
    const markers = createSeriesMarkers(shown.series, []);
    const choice = document.querySelector("[data-chart-symbol]");
    const note = holder.querySelector(".chart__empty");
    const remark = document.querySelector("[data-chart-note]");
    const path = holder.dataset.chart;
    const show = async () => {
      holder.dataset.chart = `${path}?symbol=${encodeURIComponent(choice.value)}`;
      const data = await load(holder);
      note.textContent = data.note || "No bar of this symbol is known.";
      remark.textContent = data.bars.length ? data.note : "";
      shown.set(data.bars.map(asBar));
      mark(markers, data.fills.sort(byTime));
    };
    choice.addEventListener("change", show);
    await show();
  }

  function mounted(holder) {
    if (holder.hasAttribute("data-bars")) return mountBars(holder);
    if (holder.hasAttribute("data-prices")) return mountPrices(holder);
    if (holder.hasAttribute("data-compare")) return mountCompare(holder);
    return holder.hasAttribute("data-lines") ? mountLines(holder) : mountEquity(holder);
  }

  function mount() {
    for (const holder of charts.keys()) if (!holder.isConnected) charts.delete(holder);
    for (const holder of document.querySelectorAll("[data-chart]")) {
      if (charts.has(holder)) continue;
      mounted(holder).catch((error) => {
        const note = holder.querySelector(".chart__empty");
        note.textContent = error.message;
        note.removeAttribute("hidden");
      });
    }
  }

  document.addEventListener("theme", () => charts.forEach((shown) => shown.repaint()));
  document.body.addEventListener("htmx:afterSettle", mount);
  mount();
})();
