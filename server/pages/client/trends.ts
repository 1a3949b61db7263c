/**
 * Pictures that can be read off: a crosshair that follows the pointer or the arrow keys, a legend that switches series, and a zoom, which
 * is an address of its own. All that it tells stands in the table behind the picture; it only brings it to where one looks.
 */

const svgNamespace = 'http://www.w3.org/2000/svg';

/** Text cells of the table behind a picture: the bucket's name, then one for each series. */
type Row = { name: string; texts: string[] };

class Chart {
  readonly #figure: HTMLElement;
  readonly #svg: SVGSVGElement;
  readonly #begins: string[];
  readonly #rows: Row[];
  readonly #names: string[];
  readonly #groups: SVGGElement[];
  readonly #ys: (number | null)[][];
  readonly #reader = document.createElement('div');
  readonly #tip = document.createElement('div');
  readonly #crosshair = document.createElementNS(svgNamespace, 'g');
  readonly #selection = document.createElementNS(svgNamespace, 'rect');
  /** The bucket that is read off, and where a selection began. */
  #at: number | null = null;
  #anchor: number | null = null;

  constructor(figure: HTMLElement, svg: SVGSVGElement, plot: HTMLElement) {
    this.#figure = figure;
    this.#svg = svg;
    this.#begins = (figure.dataset.begins ?? '').split(' ');
    const cellsOf = (row: HTMLTableRowElement) => [...row.cells].map((cell) => cell.textContent ?? '');
    const [head, ...rows] = [...figure.querySelectorAll('tr')].map(cellsOf);
    this.#names = head?.slice(1) ?? [];
    this.#rows = rows.map(([name = '', ...texts]) => ({ name, texts }));
    this.#groups = [...svg.querySelectorAll<SVGGElement>('[data-series]')];
    this.#ys = this.#groups.map(({ dataset }) =>
      (dataset.ys ?? '').split(',').map((y) => (y === '' ? null : Number(y))),
    );
    this.#selection.setAttribute('class', 'selection');
    this.#crosshair.append(this.#selection);
    svg.append(this.#crosshair);
    this.#tip.className = 'tip';
    this.#tip.hidden = true;
    // What is read off is told as the slider's value.
    this.#tip.ariaHidden = 'true';
    plot.append(this.#makeReader(), this.#tip);
    this.#makeLegend();
  }

  #makeReader(): HTMLElement {
    const reader = this.#reader;
    reader.className = 'reader';
    reader.tabIndex = 0;
    reader.role = 'slider';
    reader.ariaLabel = `Read off: ${this.#figure.dataset.chart}`;
    reader.ariaValueMin = '0';
    reader.ariaValueMax = `${this.#begins.length - 1}`;
    this.#tell(this.#begins.length - 1);
    reader.addEventListener('pointermove', (event) => {
      this.#show(this.#bucketAt(event));
    });
    reader.addEventListener('pointerdown', (event) => {
      // A finger scrolls.
      if (event.pointerType === 'touch' || event.button !== 0) return this.#show(this.#bucketAt(event));
      reader.setPointerCapture(event.pointerId);
      this.#anchor = this.#bucketAt(event);
    });
    reader.addEventListener('pointerup', () => {
      const [anchor, at] = [this.#anchor, this.#at];
      this.#anchor = null;
      if (anchor !== null && at !== null && anchor !== at) this.#zoom(anchor, at);
      else this.#draw();
    });
    reader.addEventListener('pointercancel', () => this.#leave());
    reader.addEventListener('pointerleave', () => {
      if (this.#anchor === null) this.#leave();
    });
    reader.addEventListener('focus', () => {
      if (reader.matches(':focus-visible')) this.#show(this.#at ?? this.#begins.length - 1);
    });
    reader.addEventListener('blur', () => this.#leave());
    reader.addEventListener('keydown', (event) => this.#press(event));
    return reader;
  }

  #press(event: KeyboardEvent): void {
    const last = this.#begins.length - 1;
    const at = this.#at ?? last;
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: last }[event.key];
    if (to !== undefined) {
      event.preventDefault();
      this.#anchor = event.shiftKey ? (this.#anchor ?? at) : null;
      this.#show(Math.min(last, Math.max(0, to)));
    } else if (event.key === 'Enter') {
      this.#zoom(this.#anchor ?? at, at);
    } else if (event.key === 'Escape') {
      this.#leave();
    }
  }

  #bucketAt(event: PointerEvent): number {
    const { left, width } = this.#svg.getBoundingClientRect();
    const x = ((event.clientX - left) / width) * this.#svg.viewBox.baseVal.width;
    const [from, to] = this.#edges();
    const place = Math.floor(((x - from) / (to - from)) * this.#begins.length);
    return Math.min(this.#begins.length - 1, Math.max(0, place));
  }

  /** Where the plot begins and ends, in the picture's own units. */
  #edges(): [left: number, right: number] {
    return [Number(this.#svg.dataset.left), Number(this.#svg.dataset.right)];
  }

  #show(at: number): void {
    this.#at = at;
    this.#tell(at);
    this.#draw();
  }

  #leave(): void {
    this.#at = null;
    this.#anchor = null;
    this.#draw();
  }

  /** What a screen reader is told. */
  #tell(at: number): void {
    const row = this.#rows[at];
    const shown = this.#shown().map((index) =>
      this.#names.length === 1 ? row?.texts[index] : `${this.#names[index]}: ${row?.texts[index]}`,
    );
    this.#reader.ariaValueNow = `${at}`;
    const part = this.#anchor === null ? '' : `Selected from ${this.#rows[this.#anchor]?.name}. `;
    this.#reader.ariaValueText = `${part}${row?.name}. ${shown.join('; ')}`;
  }

  /** The series that are not switched off. */
  #shown(): number[] {
    return this.#groups.flatMap((group, index) => (group.classList.contains('off') ? [] : [index]));
  }

  #draw(): void {
    const at = this.#at;
    this.#crosshair.replaceChildren(this.#selection);
    this.#selection.setAttribute('width', '0');
    this.#tip.hidden = at === null;
    if (at === null) return;
    const [left, right] = this.#edges();
    const { top = '0', bottom = '0' } = this.#svg.dataset;
    const step = (right - left) / this.#begins.length;
    const x = left + (at + 0.5) * step;
    if (this.#anchor !== null) {
      const [first, last] = [Math.min(at, this.#anchor), Math.max(at, this.#anchor)];
      this.#selection.setAttribute('x', `${left + first * step}`);
      this.#selection.setAttribute('y', top);
      this.#selection.setAttribute('width', `${(last - first + 1) * step}`);
      this.#selection.setAttribute('height', `${Number(bottom) - Number(top)}`);
    }
    this.#crosshair.append(shape('path', { class: 'crosshair', d: `M${x},${top}V${bottom}` }));
    for (const index of this.#shown()) {
      const y = this.#ys[index]?.[at] ?? null;
      if (y === null) continue;
      const spot = shape('circle', { class: 'spot', cx: `${x}`, cy: `${y}`, r: '4' });
      const className = this.#groups[index]?.classList;
      for (const name of className ?? []) if (/^series-/.test(name)) spot.classList.add(name);
      this.#crosshair.append(spot);
    }
    this.#fillTip(at);
    this.#placeTip(x);
  }

  #fillTip(at: number): void {
    const row = this.#rows[at];
    const title = document.createElement('strong');
    title.textContent = row?.name ?? '';
    const list = document.createElement('dl');
    const signs = this.#figure.querySelectorAll('.legend .sign');
    for (const index of this.#shown()) {
      const line = document.createElement('div');
      const term = document.createElement('dt');
      const told = document.createElement('dd');
      term.textContent = this.#names[index] ?? '';
      told.textContent = row?.texts[index] ?? '';
      const sign = signs[index]?.cloneNode(true);
      line.append(...(sign === undefined ? [] : [sign]), ...(this.#names.length === 1 ? [] : [term]), told);
      list.append(line);
    }
    this.#tip.replaceChildren(title, list);
  }

  /** Beside the crosshair, on the side that has room. */
  #placeTip(x: number): void {
    const scale = this.#svg.getBoundingClientRect().width / this.#svg.viewBox.baseVal.width;
    const room = this.#svg.getBoundingClientRect().width;
    const [place, width] = [x * scale, this.#tip.offsetWidth];
    const right = place + 14;
    const left = right + width <= room ? right : Math.max(0, place - 14 - width);
    this.#tip.style.left = `${left}px`;
  }

  /** Each key of the legend becomes a button. */
  #makeLegend(): void {
    for (const [index, item] of [...this.#figure.querySelectorAll('.legend li')].entries()) {
      const group = this.#groups[index];
      if (group === undefined || this.#groups.length < 2) continue;
      const button = document.createElement('button');
      button.type = 'button';
      button.ariaPressed = `${!group.classList.contains('off')}`;
      button.append(...item.childNodes);
      button.addEventListener('click', () => {
        button.ariaPressed = `${!group.classList.toggle('off')}`;
        this.#draw();
      });
      item.append(button);
    }
  }

  /** A part of the period has an address, so that it can be shared, and left by going back. */
  #zoom(one: number, other: number): void {
    const [first, last] = [Math.min(one, other), Math.max(one, other)];
    const from = this.#begins[first];
    const to = this.#begins[last + 1] ?? this.#figure.dataset.end;
    if (from === undefined || to === undefined) return;
    const address = new URL(location.href);
    address.searchParams.set('from', from);
    address.searchParams.set('to', to);
    // Whatever was fitting before, a part has another.
    address.searchParams.delete('bucket');
    location.assign(address);
  }
}

function shape(name: 'path' | 'circle', attributes: Record<string, string>): SVGElement {
  const element = document.createElementNS(svgNamespace, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

for (const figure of document.querySelectorAll<HTMLElement>('[data-chart]')) {
  const svg = figure.querySelector('svg.chart-picture');
  const plot = figure.querySelector<HTMLElement>('.plot');
  if (svg instanceof SVGSVGElement && plot !== null) new Chart(figure, svg, plot);
}
for (const hint of document.querySelectorAll<HTMLElement>('[data-how]')) hint.hidden = false;
