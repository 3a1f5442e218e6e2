// grid.js: a scrolling picture of cells on a canvas. Only what is visible is drawn, so that its cost does not grow with the conversation.

import { h, $, fill, css } from "./dom.js";
import { rgb, ink } from "./color.js";

const left = 62, bottom = 24; // room for the names of rows and columns, in CSS pixels
export const widths = [8, 12, 18, 28, 44, 64, 92, 130]; // of columns; text is written from 28 on

// A Grid is told what to show by draw(source): {rows: [names], columns: n, cell(row, column) → {color: [r, g, b], text, ring, hatched} or null while it is not
// here, label(column), topDown, chosen: {row, column}, need(from, to), tip(row, column) → nodes, pick(row, column), name}.
export class Grid {
  zoom = 5;
  source = null;
  #queued = false;

  constructor() {
    this.canvas = h("canvas", { "aria-hidden": "true" });
    this.sizer = h("div", { class: "sizer" }, this.canvas);
    this.el = h("div", { class: "scrolls grid", tabindex: "0", role: "img" }, this.sizer);
    this.el.addEventListener("scroll", () => this.later());
    this.el.addEventListener("wheel", (e) => this.#wheel(e), { passive: false });
    this.el.addEventListener("pointermove", (e) => this.#hover(e));
    this.el.addEventListener("pointerleave", () => ($("tooltip").hidden = true));
    this.el.addEventListener("click", (e) => this.#click(e));
    this.el.addEventListener("keydown", (e) => this.#key(e));
    new ResizeObserver(() => this.later()).observe(this.el);
  }

  draw(source) {
    this.source = source;
    this.el.setAttribute("aria-label", source.name);
    this.later();
  }

  later() {
    if (this.#queued) return;
    this.#queued = true;
    requestAnimationFrame(() => {
      this.#queued = false;
      if (this.source && this.el.isConnected) this.#paint();
    });
  }

  get width() {
    return widths[this.zoom];
  }

  // rowHeight fills the room there is, within what can be read.
  get rowHeight() {
    if (this.source.square) return Math.max(8, Math.min(this.width * 0.7, 26));
    return Math.max(16, Math.min(44, Math.floor((this.el.clientHeight - bottom) / this.source.rows.length)));
  }

  // zoomBy keeps the column at the left of the view, or the one at x, in its place.
  zoomBy(by, x = this.el.clientWidth / 2) {
    const before = (this.el.scrollLeft + x - left) / this.width;
    this.zoom = Math.max(0, Math.min(widths.length - 1, this.zoom + by));
    this.#size();
    this.el.scrollLeft = before * this.width - x + left;
    this.later();
  }

  // reveal scrolls a column, or a row of a square picture, into view.
  reveal(column, row = null) {
    this.#size();
    if (row !== null) {
      const y = row * this.rowHeight;
      if (y < this.el.scrollTop || y + this.rowHeight > this.el.scrollTop + this.el.clientHeight - bottom) this.el.scrollTop = y - this.el.clientHeight / 2;
      return;
    }
    const x = column * this.width;
    if (x < this.el.scrollLeft || x + this.width > this.el.scrollLeft + this.el.clientWidth - left) this.el.scrollLeft = x - this.el.clientWidth / 2;
  }

  #size() {
    if (!this.source) return;
    this.sizer.style.width = `${left + this.width * this.source.columns}px`;
    this.sizer.style.height = `${this.rowHeight * this.source.rows.length + bottom}px`;
  }

  #paint() {
    this.#size();
    const s = this.source, w = this.el.clientWidth, height = this.el.clientHeight, scale = devicePixelRatio || 1;
    Object.assign(this.canvas, { width: w * scale, height: height * scale });
    this.canvas.style.width = `${w}px`;
    this.canvas.style.height = `${height}px`;
    this.theme = theme();
    const c = this.canvas.getContext("2d");
    c.scale(scale, scale);
    c.textBaseline = "middle";
    const from = Math.max(0, Math.floor(this.el.scrollLeft / this.width));
    const to = Math.min(s.columns, Math.ceil((this.el.scrollLeft + w - left) / this.width));
    s.need?.(from, to);
    c.save();
    c.beginPath();
    c.rect(left, 0, w - left, height - bottom);
    c.clip();
    for (let r = 0; r < s.rows.length; r++) {
      const y = this.#y(r);
      if (y > height || y + this.rowHeight < 0) continue;
      for (let i = from; i < to; i++) this.#cell(c, r, i, this.#x(i), y);
    }
    this.#choice(c, from, to);
    c.restore();
    this.#names(c, w, height, from, to);
  }

  #x(column) {
    return left + column * this.width - this.el.scrollLeft;
  }

  #y(row) {
    const line = this.source.topDown ? row : this.source.rows.length - 1 - row;
    return line * this.rowHeight - this.el.scrollTop;
  }

  #cell(c, row, column, x, y) {
    const cell = this.source.cell(row, column), w = this.width, height = this.rowHeight;
    c.fillStyle = cell?.color ? rgb(cell.color) : this.theme.ghost;
    c.fillRect(x + 0.5, y + 0.5, w - 1, height - 1);
    if (!cell) return;
    if (cell.hatched) hatch(c, x, y, w, height, this.theme.hatch);
    if (cell.ring) { // the hue between two lines of the ground, to be seen on any cell
      for (const [color, width] of [[this.theme.surface, 5.5], [cell.ring, 2.5]]) {
        c.strokeStyle = color;
        c.lineWidth = width;
        c.strokeRect(x + 3.5, y + 3.5, w - 7, height - 7);
      }
    }
    if (!cell.text || w < 28 || height < 14) return;
    c.font = `${Math.min(12.5, height - 6)}px ${this.theme.mono}`;
    c.fillStyle = cell.color ? ink(cell.color) : this.theme.ink;
    c.textAlign = "center";
    c.fillText(cut(cell.text, w / 7.6), x + w / 2, y + height / 2 + 0.5);
  }

  #choice(c) {
    const { row, column } = this.source.chosen ?? {};
    c.strokeStyle = this.theme.accent;
    c.lineWidth = 2;
    if (this.source.square && row >= 0) c.strokeRect(this.#x(0), this.#y(row), this.width * (row + 1), this.rowHeight);
    if (column === null || column === undefined) return;
    c.strokeRect(this.#x(column), this.#y(this.source.topDown ? 0 : this.source.rows.length - 1), this.width, this.rowHeight * this.source.rows.length);
    if (row >= 0) {
      c.lineWidth = 3.5;
      c.strokeRect(this.#x(column) + 1, this.#y(row) + 1, this.width - 2, this.rowHeight - 2);
    }
  }

  #names(c, w, height, from, to) {
    const s = this.source, foot = Math.min(height, this.rowHeight * s.rows.length - this.el.scrollTop + bottom); // under the last row, or at the edge
    c.fillStyle = this.theme.surface;
    c.fillRect(0, 0, left, height);
    c.fillRect(0, foot - bottom, w, bottom);
    c.font = `12px ${this.theme.mono}`;
    c.textAlign = "right";
    for (let r = 0; r < s.rows.length; r++) {
      const y = this.#y(r) + this.rowHeight / 2;
      if (y < 4 || y > foot - bottom || this.rowHeight < 11) continue;
      c.fillStyle = r === s.chosen?.row ? this.theme.accentInk : this.theme.soft;
      c.fillText(cut(s.rows[r], 8), left - 6, y);
    }
    c.textAlign = "center";
    const every = Math.ceil(26 / this.width);
    for (let i = from; i < to; i++) {
      const x = this.#x(i) + this.width / 2;
      if (i % every || x < left) continue;
      c.fillStyle = i === s.chosen?.column ? this.theme.accentInk : this.theme.ink;
      c.fillText(this.width < 28 ? String(i) : cut(s.label(i), this.width / 7.6), x, foot - bottom / 2);
    }
  }

  // find gives the cell under the mouse, or null.
  #find(e) {
    const box = this.el.getBoundingClientRect(), s = this.source;
    const x = e.clientX - box.left, y = e.clientY - box.top;
    if (!s || x < left || y > this.el.clientHeight - bottom) return null;
    const column = Math.floor((x - left + this.el.scrollLeft) / this.width), line = Math.floor((y + this.el.scrollTop) / this.rowHeight);
    const row = s.topDown ? line : s.rows.length - 1 - line;
    return column >= 0 && column < s.columns && row >= 0 && row < s.rows.length ? { row, column } : null;
  }

  #hover(e) {
    const at = e.pointerType === "mouse" && this.#find(e);
    const nodes = at && this.source.tip?.(at.row, at.column);
    const tip = $("tooltip");
    tip.hidden = !nodes;
    if (!nodes) return;
    fill(tip, nodes);
    tip.style.left = `${Math.min(e.clientX + 14, innerWidth - tip.offsetWidth - 6)}px`;
    tip.style.top = `${Math.max(6, e.clientY - tip.offsetHeight - 10)}px`;
  }

  #click(e) {
    const at = this.#find(e);
    if (at) this.source.pick?.(at.row, at.column);
  }

  #wheel(e) {
    if (!e.ctrlKey && !e.metaKey) return;
    e.preventDefault();
    this.zoomBy(e.deltaY < 0 ? 1 : -1, e.clientX - this.el.getBoundingClientRect().left);
  }

  // key moves the choice as the page's keys do, for those who reach the picture by Tab.
  #key(e) {
    if (e.key === "+" || e.key === "-") this.zoomBy(e.key === "+" ? 1 : -1);
  }
}

// theme reads the style sheet once a picture: asking for each cell would cost more than drawing it.
const theme = () => ({ ghost: css("--ghost"), mono: css("--mono"), ink: css("--ink"), accent: css("--accent"), accentInk: css("--accent-ink"), surface: css("--surface"), soft: css("--soft"), hatch: css("--hatch") });

function hatch(c, x, y, w, height, color) {
  c.save();
  c.beginPath();
  c.rect(x + 0.5, y + 0.5, w - 1, height - 1);
  c.clip();
  c.strokeStyle = color;
  c.lineWidth = 1;
  c.beginPath();
  for (let d = -height; d < w; d += 7) {
    c.moveTo(x + d, y + height);
    c.lineTo(x + d + height, y);
  }
  c.stroke();
  c.restore();
}

function cut(text, most) {
  const chars = [...text];
  return chars.length <= most ? text : chars.slice(0, Math.max(1, Math.floor(most) - 1)).join("") + "…";
}

// zoomer are the two buttons of a grid, or of several that go together.
export const zoomer = (...grids) => [
  h("button", { class: "icon", "aria-label": "Zoom out", title: "Zoom out (Ctrl and wheel)", onclick: () => grids.forEach((g) => g.zoomBy(-1)) }, "−"),
  h("button", { class: "icon", "aria-label": "Zoom in", title: "Zoom in (Ctrl and wheel)", onclick: () => grids.forEach((g) => g.zoomBy(1)) }, "+"),
];
