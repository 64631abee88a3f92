(() => {
  'use strict';
  const root = document.documentElement;
  const all = (selector, from = document) => [...from.querySelectorAll(selector)];

  // Contents: folded on narrow screens; the section being read is marked.
  const fold = document.querySelector('.contents details');
  const wide = matchMedia('(min-width: 75rem)');
  fold.parentElement.classList.toggle('long', fold.querySelectorAll('li').length > 24);
  const settle = () => { fold.open = wide.matches; };
  settle();
  wide.addEventListener('change', settle);
  const links = new Map(all('.contents a').map(a => [decodeURIComponent(a.hash.slice(1)), a]));
  const sections = all('article section[id]').filter(s => links.has(s.id));
  let marked = null;
  const mark = () => {
    let current = null;
    for (const s of sections) if (s.getBoundingClientRect().top < innerHeight * 0.25) current = s;
    const a = current && links.get(current.id);
    if (a === marked) return;
    marked?.removeAttribute('aria-current');
    a?.setAttribute('aria-current', 'true');
    for (const li of all('.contents .here')) li.classList.remove('here');
    for (let li = a?.closest('li'); li; li = li.parentElement.closest('li')) li.classList.add('here');
    if (wide.matches) a?.scrollIntoView({ block: 'nearest', behavior: 'instant' });
    marked = a;
  };
  let due = false;
  addEventListener('scroll', () => {
    if (due) return;
    due = true;
    requestAnimationFrame(() => { due = false; mark(); });
  }, { passive: true });
  mark();
  fold.addEventListener('click', e => { if (e.target.closest('a') && !wide.matches) fold.open = false; });

  // Theme: as the system, or as chosen.
  const button = document.querySelector('.theme');
  const dark = matchMedia('(prefers-color-scheme: dark)');
  const isDark = () => (root.dataset.theme || (dark.matches ? 'dark' : 'light')) === 'dark';
  const nameIt = () => {
    button.querySelector('.theme-name').textContent = isDark() ? 'Light' : 'Dark';
    dispatchEvent(new Event('themechange'));
  };
  button.hidden = false;
  button.addEventListener('click', () => {
    root.dataset.theme = isDark() ? 'light' : 'dark';
    try { localStorage.setItem('theme', root.dataset.theme); } catch (e) { /* no storage here */ }
    nameIt();
  });
  dark.addEventListener('change', nameIt);
  nameIt();

  // Each picture stands in the file once; its download takes it from there.
  for (const a of all('.save-svg')) a.href = a.closest('figure').querySelector('img').src;

  // Enlarged figures.
  const dialog = document.querySelector('.enlarged');
  const frame = dialog.querySelector('.frame');
  const enlarge = figure => {
    const shown = figure.querySelector('.plate > img'), image = shown.cloneNode();
    image.style.setProperty('--least-width', `${1.6 * shown.width}px`);
    image.style.setProperty('--least-height', `${1.6 * shown.height}px`);
    frame.replaceChildren(image);
    frame.scrollTo(0, 0);
    const caption = figure.querySelector('figcaption').cloneNode(true);
    for (const e of all('[id]', caption)) e.removeAttribute('id');
    dialog.querySelector('p').replaceChildren(...caption.childNodes);
    dialog.showModal();
  };
  // A press on the picture does what the button beneath it does.
  for (const e of all('.zoom, .plate > img')) e.addEventListener('click', () => enlarge(e.closest('figure')));
  // What a link leads to stands on the page behind.
  dialog.addEventListener('click', e => { if (e.target.closest('a[href^="#"]')) dialog.close(); });
  frame.addEventListener('click', () => dialog.close());
  dialog.querySelector('.close').addEventListener('click', () => dialog.close());

  // What a reference leads to, beside the pointer.
  let preview = null, timer = 0;
  const hide = () => { clearTimeout(timer); preview?.remove(); preview = null; };
  const show = a => {
    hide();
    const target = document.getElementById(decodeURIComponent(a.hash.slice(1)));
    if (!target || target.matches('section, h2, h3')) return;
    preview = document.createElement('div');
    preview.className = 'preview';
    preview.setAttribute('aria-hidden', 'true');
    // Of a claim, whose place is its name, the statement that stands beside it.
    const cell = target.closest('td'), copy = (cell ?? target).cloneNode(true);
    for (const e of [copy, ...copy.querySelectorAll('[id]')]) e.removeAttribute('id');
    for (const e of copy.querySelectorAll('script, .live, .footnote-back')) e.remove();
    preview.append(...(cell || target.matches('li') ? copy.childNodes : [copy]));
    document.body.append(preview);
    const at = a.getBoundingClientRect(), size = preview.getBoundingClientRect();
    const left = Math.max(8, Math.min(at.left, root.clientWidth - size.width - 8));
    const below = at.bottom + size.height + 12 < innerHeight;
    preview.style.left = `${left + scrollX}px`;
    preview.style.top = `${(below ? at.bottom + 8 : Math.max(8, at.top - size.height - 8)) + scrollY}px`;
  };
  if (matchMedia('(hover: hover)').matches) {
    for (const a of all('a.xref, a[href^="#claim:"], a[role="doc-biblioref"], a.footnote-ref')) {
      a.addEventListener('mouseenter', () => { timer = setTimeout(show, 180, a); });
      a.addEventListener('mouseleave', hide);
      a.addEventListener('focus', () => { if (a.matches(':focus-visible')) show(a); });
      a.addEventListener('blur', hide);
    }
    addEventListener('keydown', e => { if (e.key === 'Escape') hide(); });
  }
})();
