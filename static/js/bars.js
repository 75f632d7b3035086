// Charts of bars: candles with what the run did on them. Arrows are fills, circles are orders, squares are orders that
// were not let through; what an open order waits for is a line. The caption tells what happened in the bar under the
// pointer, or else in the last one.
(() => {
  const { createSeriesMarkers, CandlestickSeries, LineStyle } = window.LightweightCharts;
  const { stamp } = window.alphaswarm;
  const { Shown, css, second, load, draw } = window.alphaswarm.chart;

  // With more fills than this their prices would cover each other, and the arrows alone stay.
  const MOST_PRICED = 40;
  // Bars and orders of a symbol that are kept, however long the page stays open.
  const MOST_BARS = 3000;
  const MOST_ORDERS = 300;
  // Lines of open orders: with more of them no price could be read.
  const MOST_LINES = 20;
  // Marks are drawn anew at most so often, however many orders come.
  const MARK_EVERY = 700;
  const OPEN = new Set(["intended", "submitted", "accepted", "partially_filled", "pending_cancel", "unknown"]);
  const REFUSED = new Set(["denied", "rejected"]);

  // Hollow bodies rise and full ones fall: shape before colour.
  const candleColours = () => ({
    upColor: css("--sheet"),
    borderUpColor: css("--ink-3"),
    wickUpColor: css("--ink-3"),
    downColor: css("--ink-3"),
    borderDownColor: css("--ink-3"),
    wickDownColor: css("--ink-3"),
  });

  const asBar = ({ time, open, high, low, close }) => ({ time: second(time), open, high, low, close });
  const byTime = (one, other) => second(one.time) - second(other.time);
  const last = (map, most) => {
    while (map.size > most) map.delete(map.keys().next().value);
  };

  const fillMarker = ({ time, side, price }) => ({
    time: second(time),
    position: side === "buy" ? "belowBar" : "aboveBar",
    shape: side === "buy" ? "arrowUp" : "arrowDown",
    color: css("--accent"),
    text: price.toFixed(2),
  });

  function orderMarker({ time, side, status, price }) {
    const refused = REFUSED.has(status);
    const place = price ? { position: "atPriceMiddle", price } : { position: side === "buy" ? "belowBar" : "aboveBar" };
    return { time: second(time), ...place, shape: refused ? "square" : "circle", color: css(refused ? "--look" : "--ink-2"), size: 0.5 };
  }

  function mark(markers, fills, orders = []) {
    const drawn = fills.map(fillMarker);
    if (drawn.length > MOST_PRICED) for (const one of drawn) delete one.text;
    // A filled order at the market is told by its arrow.
    const beside = orders.filter(({ status, price }) => status !== "filled" || price);
    markers.setMarkers([...drawn, ...beside.map(orderMarker)].sort(byTime));
  }

  function told(bar, next, fills, orders) {
    const within = ({ time }) => second(time) >= bar.time && second(time) < next;
    const { date, time, zone } = stamp(bar.time * 1000);
    const figures = ["open", "high", "low", "close"].map((name) => `${name} ${bar[name].toFixed(2)}`).join(", ");
    const what = [
      ...orders.filter(within).map(({ side, qty, terms, status, signal, reason }) => {
        return `${side} ${qty} ${terms}: ${status.replaceAll("_", " ")}${signal ? `, signal ${signal}` : ""}${reason ? ` (${reason})` : ""}`;
      }),
      ...fills.filter(within).map(({ side, qty, price }) => `${side === "buy" ? "bought" : "sold"} ${qty} at ${price.toFixed(2)}`),
    ];
    return `${date} ${time} ${zone}: ${[figures, ...what].join("; ")}.`;
  }

  // What is on a chart of one symbol, and the words below it.
  class Candles {
    constructor(holder) {
      this.holder = holder;
      this.shown = new Shown(holder, CandlestickSeries, candleColours, {});
      this.markers = createSeriesMarkers(this.shown.series, []);
      this.caption = holder.parentElement.querySelector("[data-chart-at]");
      this.lines = new Map();
      Object.assign(this, { bars: () => [], fills: [], orders: [] });
      this.shown.chart.subscribeCrosshairMove(({ time }) => this.tell(time));
      document.addEventListener("theme", () => this.repaint());
    }

    // Marks and lines keep the colours that they were made with.
    repaint() {
      for (const line of this.lines.values()) this.shown.series.removePriceLine(line);
      this.lines.clear();
      this.mark(this.fills, this.orders);
    }

    // `bars` is asked again whenever somebody points at one.
    show(bars, fills, orders) {
      this.bars = bars;
      this.shown.set(bars());
      this.mark(fills, orders);
    }

    mark(fills, orders) {
      Object.assign(this, { fills, orders });
      // What was done before the first bar that is shown would pile up on it.
      const begin = this.bars()[0]?.time ?? Infinity;
      const shown = ({ time }) => second(time) >= begin;
      mark(this.markers, fills.filter(shown), orders.filter(shown));
      const open = new Map(
        orders.filter(({ status, price }) => OPEN.has(status) && price).slice(-MOST_LINES).map((one) => [one.id, one]),
      );
      for (const [id, line] of this.lines) {
        if (open.has(id)) continue;
        this.shown.series.removePriceLine(line);
        this.lines.delete(id);
      }
      for (const [id, { side, qty, price }] of open) {
        if (this.lines.has(id)) continue;
        const look = { color: css("--accent"), lineWidth: 1, lineStyle: LineStyle.Dotted };
        this.lines.set(id, this.shown.series.createPriceLine({ price, title: `${side} ${qty}`, ...look }));
      }
      this.tell();
    }

    tell(time) {
      const bars = this.bars();
      if (!this.caption || !bars.length) return;
      const found = time === undefined ? -1 : bars.findIndex((bar) => bar.time === time);
      const at = found < 0 ? bars.length - 1 : found;
      this.caption.textContent = told(bars[at], bars[at + 1]?.time ?? Infinity, this.fills, this.orders);
    }
  }

  // An order as a frame tells it, over what was known of it.
  function orderOf(frame, known) {
    const { order_id: id, symbol, side, qty, type, order_status: status, reason, timestamp, stage } = frame;
    const price = Number(frame.price ?? frame.stop_price) || null;
    const kept = known ?? { id, symbol, side, qty, price, time: second(timestamp), signal: "", reason: "", terms: type.replaceAll("_", " ") };
    const signal = stage === "signal.emitted" ? frame.message : kept.signal;
    return { ...kept, status, signal, reason: reason || kept.reason };
  }

  // The bars of a run that goes on. The socket begins with what was shown before, so anything may come a second time.
  async function mountBars(holder) {
    const candles = new Candles(holder);
    const choice = document.querySelector("[data-chart-symbol]");
    const bars = new Map();
    const fills = new Map();
    const orders = new Map();
    const keepBar = (symbol, bar) => {
      if (!bars.has(symbol)) bars.set(symbol, new Map());
      bars.get(symbol).set(bar.time, bar);
      last(bars.get(symbol), MOST_BARS);
    };
    const here = (known) => [...known.values()].filter((one) => one.symbol === choice.value).sort(byTime);
    const barsHere = () => [...(bars.get(choice.value)?.values() ?? [])].sort(byTime);
    const show = () => candles.show(barsHere, here(fills), here(orders));
    const data = await load(holder);
    for (const [symbol, known] of Object.entries(data.bars)) for (const bar of known) keepBar(symbol, asBar(bar));
    for (const fill of data.fills) fills.set(fill.id, fill);
    for (const order of data.orders) orders.set(order.id, order);
    choice.addEventListener("change", show);
    show();

    let waiting = false;
    const redraw = () => {
      if (waiting) return;
      waiting = true;
      setTimeout(() => {
        waiting = false;
        candles.mark(here(fills), here(orders));
      }, MARK_EVERY);
    };
    const keepOrder = (frame) => {
      orders.set(frame.order_id, orderOf(frame, orders.get(frame.order_id)));
      last(orders, MOST_ORDERS);
      if (frame.stage === "order.filled") {
        const { execution_id: id, symbol, side, qty } = frame;
        fills.set(id, { id, symbol, side, qty, time: second(frame.timestamp), price: Number(frame.price) });
        last(fills, MOST_ORDERS);
      }
    };
    document.body.addEventListener("frames", ({ detail: frames }) => {
      // Of one bar that comes several times the last counts.
      const told = new Map();
      for (const frame of frames) {
        const drawn = frame.symbol === choice.value;
        if (frame.stage === "bar.received") {
          const bar = asBar({ ...frame, time: frame.timestamp });
          keepBar(frame.symbol, bar);
          if (drawn) told.set(bar.time, bar);
        } else if (frame.order_id && frame.symbol !== undefined) {
          keepOrder(frame);
          if (drawn) redraw();
        }
      }
      for (const bar of told.values()) candles.shown.add(bar);
    });
  }

  // The prices of a run as it stands, one symbol at a time.
  async function mountPrices(holder) {
    const candles = new Candles(holder);
    const choice = document.querySelector("[data-chart-symbol]");
    const note = holder.querySelector(".chart__empty");
    const remark = document.querySelector("[data-chart-note]");
    const path = holder.dataset.chart;
    const show = async () => {
      holder.dataset.chart = `${path}?symbol=${encodeURIComponent(choice.value)}`;
      const data = await load(holder);
      note.textContent = data.note || "No bar of this symbol is known.";
      remark.textContent = data.bars.length ? data.note : "";
      const bars = data.bars.map(asBar);
      candles.show(() => bars, data.fills, data.orders);
    };
    choice.addEventListener("change", show);
    await show();
  }

  draw("data-bars", mountBars);
  draw("data-prices", mountPrices);
})();
