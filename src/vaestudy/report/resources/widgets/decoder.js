const D = JSON.parse(root.querySelector('script[type="application/json"]').textContent);
const decode = makeDecoder(D.layers, D.activation);
const [height, width] = D.shape;
const [left, right, bottom, top] = D.extent;
const plane = root.querySelector('.plane'), pen = plane.getContext('2d');
const image = root.querySelector('.image'), where = root.querySelector('.where');
const points = D.points ? unpackPoints(D.points, 2) : null;
let z = [0.25 * (right - left) + left, 0.6 * (top - bottom) + bottom];
let size = 0, ratio = 1, view = points ? 'points' : 'lattice', ground = null;

image.width = width;
image.height = height;
const ink = image.getContext('2d'), pixels = ink.createImageData(width, height);
const paint = p => {
  for (let i = 0; i < p.length; i++) {
    const v = 255 - Math.round(255 * p[i]);
    pixels.data[4 * i] = pixels.data[4 * i + 1] = pixels.data[4 * i + 2] = v;
    pixels.data[4 * i + 3] = 255;
  }
  return pixels;
};
const toX = x => (x - left) / (right - left) * size;
const toY = y => (top - y) / (top - bottom) * size;

const drawAxes = g => {
  g.strokeStyle = getComputedStyle(root).color;
  g.globalAlpha = 0.18;
  g.lineWidth = 1;
  g.beginPath();
  g.moveTo(toX(0), 0); g.lineTo(toX(0), size);
  g.moveTo(0, toY(0)); g.lineTo(size, toY(0));
  g.stroke();
  g.globalAlpha = 1;
};
const drawPoints = g => {
  drawAxes(g);
  const r = points.n > 3000 ? 1.3 : points.n > 800 ? 1.8 : 2.6;
  g.globalAlpha = 0.75;
  for (let i = 0; i < points.n; i++) {
    g.fillStyle = D.colors[points.label[i] % D.colors.length];
    g.beginPath();
    g.arc(toX(points.xyz[2 * i]), toY(points.xyz[2 * i + 1]), r, 0, 7);
    g.fill();
  }
  g.globalAlpha = 1;
};
const drawLattice = g => {
  const n = 18, small = document.createElement('canvas');
  small.width = width;
  small.height = height;
  const s = small.getContext('2d');
  for (let a = 0; a < n; a++) for (let b = 0; b < n; b++) {
    const x = left + (b + 0.5) / n * (right - left), y = top - (a + 0.5) / n * (top - bottom);
    s.putImageData(paint(decode([x, y])), 0, 0);
    g.drawImage(small, b * size / n, a * size / n, size / n + 0.5, size / n + 0.5);
  }
};
// The ground changes rarely, the cross with every move: the first is kept as a picture.
const drawGround = () => {
  ground = document.createElement('canvas');
  ground.width = ground.height = Math.round(size * ratio);
  const g = ground.getContext('2d');
  g.scale(ratio, ratio);
  (view === 'points' ? drawPoints : drawLattice)(g);
};
const draw = () => {
  if (!ground) drawGround();
  pen.setTransform(1, 0, 0, 1, 0, 0);
  pen.clearRect(0, 0, plane.width, plane.height);
  pen.drawImage(ground, 0, 0);
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  const x = toX(z[0]), y = toY(z[1]);
  for (const [color, w] of [['#fff', 4.5], ['#111', 2]]) {
    pen.strokeStyle = color;
    pen.lineWidth = w;
    pen.beginPath();
    pen.arc(x, y, 7, 0, 7);
    pen.stroke();
  }
  ink.putImageData(paint(decode(z)), 0, 0);
  const show = v => v.toFixed(2).replace('-', '\u2212');
  where.textContent = `z = (${show(z[0])}, ${show(z[1])})`;
};
const moveTo = (x, y) => {
  z = [Math.min(right, Math.max(left, x)), Math.min(top, Math.max(bottom, y))];
  draw();
};
const follow = e => {
  const box = plane.getBoundingClientRect();
  moveTo(left + (e.clientX - box.left) / box.width * (right - left),
    top - (e.clientY - box.top) / box.height * (top - bottom));
};
plane.addEventListener('pointermove', follow);
plane.addEventListener('pointerdown', follow);
plane.addEventListener('keydown', e => {
  const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[e.key];
  if (!step) return;
  e.preventDefault();
  const by = e.shiftKey ? 0.05 : 0.012;
  moveTo(z[0] + step[0] * by * (right - left), z[1] + step[1] * by * (top - bottom));
});

const buttons = [...root.querySelectorAll('[data-view]')];
if (!points) for (const e of root.querySelectorAll('.switch, .with-points')) e.remove();
for (const b of buttons) b.addEventListener('click', () => {
  view = b.dataset.view;
  for (const other of buttons) other.setAttribute('aria-pressed', String(other === b));
  ground = null;
  draw();
});
if (points) {
  for (const label of [...new Set(points.label)].sort((a, b) => a - b)) {
    const entry = document.createElement('span');
    entry.style.setProperty('--dot', D.colors[label % D.colors.length]);
    entry.textContent = label;
    root.querySelector('.key').append(entry);
  }
}
const resize = () => {
  const now = plane.clientWidth;
  if (!now || (now === size && ratio === (devicePixelRatio || 1))) return;
  size = now;
  ratio = devicePixelRatio || 1;
  plane.width = plane.height = Math.round(size * ratio);
  ground = null;
  draw();
};
new ResizeObserver(resize).observe(plane);
addEventListener('themechange', () => { ground = null; if (size) draw(); });
resize();
