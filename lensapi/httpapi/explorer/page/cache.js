// cache.js: what the page has fetched, bounded by bytes; the least recently used goes first.

export class ByteCache {
  #map = new Map(); // a Map remembers the order of insertion, which here is the order of use
  #bytes = 0;

  constructor(most) {
    this.most = most;
  }

  get bytes() {
    return this.#bytes;
  }

  get(key) {
    const entry = this.#map.get(key);
    if (!entry) return undefined;
    this.#map.delete(key);
    this.#map.set(key, entry);
    return entry.value;
  }

  has(key) {
    return this.#map.has(key);
  }

  // put keeps a value of about so many bytes, unless it alone is more than the limit.
  put(key, value, bytes) {
    this.drop(key);
    if (bytes > this.most) return;
    this.#map.set(key, { value, bytes });
    this.#bytes += bytes;
    for (const [oldest] of this.#map) {
      if (this.#bytes <= this.most) break;
      this.drop(oldest);
    }
  }

  drop(key) {
    const entry = this.#map.get(key);
    if (!entry) return;
    this.#bytes -= entry.bytes;
    this.#map.delete(key);
  }

  // dropAll forgets every key that begins with prefix.
  dropAll(prefix) {
    for (const key of [...this.#map.keys()]) if (key.startsWith(prefix)) this.drop(key);
  }
}
