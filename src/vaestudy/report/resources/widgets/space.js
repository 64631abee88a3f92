const D = JSON.parse(root.querySelector('script[type="application/json"]').textContent);
const { label, xyz, n } = unpackPoints(D.points, 3);
const canvas = root.querySelector('.plane'), pen = canvas.getContext('2d');
let yaw = 0.7, pitch = 0.35, only = null, wide = 0, high = 0, ratio = 1;
let reach = 0;
for (let i = 0; i < n; i++) reach = Math.max(reach, Math.hypot(xyz[3 * i], xyz[3 * i + 1], xyz[3 * i + 2]));
reach = reach || 1;
const order = Int32Array.from({ length: n }, (_, i) => i);
const px = new Float32Array(n), py = new Float32Array(n), pz = new Float32Array(n);

// Turn about the vertical, then tip; a little perspective tells near from far.
const project = (x, y, z) => {
  const cy = Math.cos(yaw), sy = Math.sin(yaw), cp = Math.cos(pitch), sp = Math.sin(pitch);
  const u = cy * x + sy * y, v = -sy * x + cy * y;
  const depth = (cp * v - sp * z) / reach, up = (sp * v + cp * z) / reach;
  const scale = Math.min(wide, high) * 0.52 / (1 + 0.25 * depth);
  return [wide / 2 + scale * u / reach, high / 2 - scale * up, depth];
};
const drawAxes = () => {
  const color = getComputedStyle(root).color;
  pen.font = 'italic 14px Georgia, serif';
  pen.textAlign = 'center';
  pen.textBaseline = 'middle';
  for (let a = 0; a < 3; a++) {
    const end = [0, 0, 0];
    end[a] = 0.76 * reach;
    const [x0, y0] = project(...end.map(v => -v)), [x1, y1] = project(...end);
    const [tx, ty] = project(...end.map(v => v * 1.09));
    pen.strokeStyle = pen.fillStyle = color;
    pen.globalAlpha = 0.28;
    pen.beginPath();
    pen.moveTo(x0, y0);
    pen.lineTo(x1, y1);
    pen.stroke();
    pen.globalAlpha = 0.85;
    pen.fillText(D.axes[a], tx, ty);
  }
};
const draw = () => {
  if (!wide) return;
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, wide, high);
  drawAxes();
  for (let i = 0; i < n; i++) [px[i], py[i], pz[i]] = project(xyz[3 * i], xyz[3 * i + 1], xyz[3 * i + 2]);
  order.sort((a, b) => pz[b] - pz[a]);
  const base = n > 4000 ? 1.3 : n > 1000 ? 1.9 : 2.6;
  for (const i of order) {
    const near = Math.max(0, Math.min(1, (1 - pz[i]) / 2));
    const shown = only === null || label[i] === only;
    pen.globalAlpha = shown ? 0.35 + 0.6 * near : 0.04;
    pen.fillStyle = D.colors[label[i]];
    const r = base * (0.75 + 0.6 * near);
    pen.beginPath();
    pen.arc(px[i], py[i], r, 0, 7);
    pen.fill();
  }
  pen.globalAlpha = 1;
};
let due = false;
const later = () => {
  if (due) return;
  due = true;
  requestAnimationFrame(() => { due = false; draw(); });
};
const turn = (across, up) => {
  yaw += across;
  pitch = Math.max(-1.5, Math.min(1.5, pitch + up));
  canvas.dataset.turned = `${yaw.toFixed(2)},${pitch.toFixed(2)}`;
  later();
};
let held = null;
canvas.addEventListener('pointerdown', e => { held = [e.clientX, e.clientY]; canvas.setPointerCapture(e.pointerId); });
canvas.addEventListener('pointermove', e => {
  if (!held) return;
  turn((e.clientX - held[0]) * 0.008, (e.clientY - held[1]) * 0.008);
  held = [e.clientX, e.clientY];
});
for (const end of ['pointerup', 'pointercancel']) canvas.addEventListener(end, () => { held = null; });
canvas.addEventListener('keydown', e => {
  const step = { ArrowLeft: [-0.1, 0], ArrowRight: [0.1, 0], ArrowUp: [0, -0.1], ArrowDown: [0, 0.1] }[e.key];
  if (!step) return;
  e.preventDefault();
  turn(...step);
});
const key = root.querySelector('.key');
D.names.forEach((name, index) => {
  const b = document.createElement('button');
  b.type = 'button';
  b.textContent = name;
  b.style.setProperty('--dot', D.colors[index]);
  b.setAttribute('aria-pressed', 'false');
  b.addEventListener('click', () => {
    only = only === index ? null : index;
    [...key.children].forEach((other, at) => other.setAttribute('aria-pressed', String(at === only)));
    later();
  });
  key.append(b);
});
const resize = () => {
  ratio = devicePixelRatio || 1;
  wide = canvas.clientWidth;
  high = canvas.clientHeight;
  canvas.width = Math.round(wide * ratio);
  canvas.height = Math.round(high * ratio);
  draw();
};
new ResizeObserver(resize).observe(canvas);
addEventListener('themechange', draw);
resize();
