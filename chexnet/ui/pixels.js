// From the kernel's bytes to what a canvas shows: the window of greys, and the heat map's colours.

const HEAT_SIDE = 384; // Pixels of the heat map's longer side; the browser stretches it over the film.

const within = (value, low, high) => Math.min(Math.max(value, low), high);

/** Return the pixels of a message of the kernel: deflated bytes, little endian, row by row. */
async function unpacked({ bits, ...film }, bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  const data = await new Response(stream).arrayBuffer();
  return { ...film, top: 2 ** bits - 1, values: bits === 8 ? new Uint8Array(data) : new Uint16Array(data) };
}

/** Draw `film` into a canvas through the look's window. */
function paint(canvas, { rows, columns, channels, top, values }, { low, high, inverted }) {
  const table = new Uint8ClampedArray(top + 1);
  const slope = 255 / Math.max(high - low, 1 / top);
  for (let value = 0; value <= top; value += 1) {
    const shade = (value / top - low) * slope;
    table[value] = inverted ? 255 - shade : shade;
  }
  if (canvas.width !== columns || canvas.height !== rows) Object.assign(canvas, { width: columns, height: rows });
  const image = new ImageData(columns, rows);
  const pixels = new Uint32Array(image.data.buffer); // Alpha, blue, green, red, as all machines with a browser have it.
  const of = (value, shift) => table[value] << shift;
  if (channels === 1) {
    const grey = Uint32Array.from(table, (shade) => 0xff000000 | (shade * 0x010101));
    for (let at = 0; at < pixels.length; at += 1) pixels[at] = grey[values[at]];
  } else {
    for (let at = 0, from = 0; at < pixels.length; at += 1, from += 3)
      pixels[at] = 0xff000000 | of(values[from + 2], 16) | of(values[from + 1], 8) | of(values[from], 0);
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
}

/** Draw a map into a canvas: a cell covers its block of the image, and fades into the next. */
function paintHeat(canvas, { rows, columns, values }, palette, film) {
  const share = HEAT_SIDE / Math.max(film.rows, film.columns);
  const [width, height] = [film.columns, film.rows].map((side) => Math.max(1, Math.round(side * share)));
  Object.assign(canvas, { width, height });
  const image = new ImageData(width, height);
  const line = (at, length, cells) => {
    const place = within(((at + 0.5) / length) * cells - 0.5, 0, cells - 1);
    const first = Math.min(Math.floor(place), Math.max(cells - 2, 0));
    return [first, Math.min(first + 1, cells - 1), place - first];
  };
  const across = Array.from({ length: width }, (_, x) => line(x, width, columns));
  for (let y = 0, to = 0; y < height; y += 1) {
    const [upper, lower, down] = line(y, height, rows);
    for (const [left, right, along] of across) {
      const between = (row) => values[row * columns + left] * (1 - along) + values[row * columns + right] * along;
      const heat = between(upper) * (1 - down) + between(lower) * down;
      const stop = Math.min(Math.floor(heat * (palette.length - 1)), palette.length - 2);
      const rest = heat * (palette.length - 1) - stop;
      for (let c = 0; c < 3; c += 1, to += 1)
        image.data[to] = palette[stop][c] * (1 - rest) + palette[stop + 1][c] * rest;
      image.data[to] = 255 * heat;
      to += 1;
    }
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
}

/** Return the window from the first to the 99th percentile of a film, as shares of its range. */
function autoWindow({ values, top }) {
  const step = Math.max(1, Math.floor(values.length / 100_000));
  const some = values.filter((_, at) => at % step === 0).sort();
  const at = (share) => some[Math.round(share * (some.length - 1))] / top;
  return at(0.99) > at(0.01) ? { low: at(0.01), high: at(0.99) } : { low: 0, high: 1 };
}
