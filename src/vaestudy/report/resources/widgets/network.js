// Unpack what Python packed, and run the decoder. Touches no page, so it can be tested alone.
const bytes = text => Uint8Array.from(atob(text), c => c.charCodeAt(0)).buffer;
const unpackPoints = (p, dimensions) => {
  const label = new Uint8Array(bytes(p.label));
  const xyz = Float32Array.from(new Int16Array(bytes(p.xyz)), v => v * p.scale);
  return { label, xyz, n: xyz.length / dimensions };
};
const ACTIVATIONS = {
  tanh: Math.tanh,
  relu: a => (a > 0 ? a : 0),
  softplus: a => (a > 30 ? a : Math.log1p(Math.exp(a))),
};
const makeDecoder = (packed, activation) => {
  const act = ACTIVATIONS[activation];
  const layers = packed.map(l => ({
    n: l.in, m: l.out, y: new Float32Array(l.out),
    w: l.q ? new Int8Array(bytes(l.q)) : new Float32Array(bytes(l.w)),
    s: l.q ? new Float32Array(bytes(l.s)) : null,
    b: new Float32Array(bytes(l.b)),
  }));
  return z => {
    let x = z;
    layers.forEach((l, k) => {
      const last = k === layers.length - 1;
      for (let j = 0; j < l.m; j++) {
        let a = 0;
        for (let i = 0, at = j * l.n; i < l.n; i++, at++) a += l.w[at] * x[i];
        a = (l.s ? a * l.s[j] : a) + l.b[j];
        l.y[j] = last ? 1 / (1 + Math.exp(-a)) : act(a);
      }
      x = l.y;
    });
    return x;
  };
};
