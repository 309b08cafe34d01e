// The page around the pictures (site/draw_html.c): tabs, zoom, drag, search, details, live values.
// The pictures are SVG from the program; nothing here lays anything out.  Texts go in as text, never as markup.
'use strict';
(() => {
  const $ = (s, e = document) => e.querySelector(s), $$ = (s, e = document) => [...e.querySelectorAll(s)];
  const root = document.documentElement, main = $('main'), aside = $('aside'), status = $('#status'), q = $('#q');
  const isServed = document.body.dataset.served === '1';
  const isStill = matchMedia('(prefers-reduced-motion: reduce)');
  let data = null, key = '', open = null, before = null, timer = 0, failures = 0;
  root.classList.add('js');
  try { key = isServed ? sessionStorage.getItem('tutti-key') || '' : ''; } catch (e) { /* no storage: asked again */ }

  const el = (name, text, cls) => { const e = document.createElement(name); if (text !== undefined) e.textContent = text; if (cls) e.className = cls; return e; };
  const figures = () => $$('section', main);
  const shown = () => { const s = $$('section:not([hidden]) svg.tt', main); return s.find(v => v.getBoundingClientRect().width > 0) || s[0]; };

  // ---- what is seen: the viewBox ----
  function view(svg) {
    if (!svg.tuttiSize) { const b = svg.viewBox.baseVal; svg.tuttiSize = { w: b.width, h: b.height }; }
    return svg.tuttiSize;
  }
  function fit(svg, whole) { // as wide as the window, at most 1.25 times its size; whole: all of it
    const s = view(svg), r = main.getBoundingClientRect();
    if (!r.width || !r.height) return;
    const scale = whole ? Math.min(r.width / s.w, r.height / s.h) : Math.min(r.width / s.w, 1.25);
    const w = r.width / scale, h = r.height / scale;
    look(svg, (s.w - w) / 2, whole && s.h < h ? (s.h - h) / 2 : 0, w, h);
  }
  function look(svg, x, y, w, h) {
    const s = view(svg), m = 60; // a part of the picture always stays in sight
    x = Math.max(m - w, Math.min(s.w - m, x)); y = Math.max(m - h, Math.min(s.h - m, y));
    svg.setAttribute('viewBox', [x, y, w, h].map(v => v.toFixed(2)).join(' '));
    svg.tuttiView = { x, y, w, h };
  }
  function at(svg, cx, cy) { // a point of the window in the picture
    const v = svg.tuttiView, r = svg.getBoundingClientRect();
    return { x: v.x + (cx - r.left) / r.width * v.w, y: v.y + (cy - r.top) / r.height * v.h };
  }
  function zoom(svg, f, cx, cy) {
    const v = svg.tuttiView, s = view(svg), r = main.getBoundingClientRect();
    f = Math.max(f, v.w / (s.w * 8)); f = Math.min(f, r.width / v.w * f > 6 ? 6 * v.w / r.width : f);
    if (cx === undefined) { cx = r.left + r.width / 2; cy = r.top + r.height / 2; }
    const p = at(svg, cx, cy);
    look(svg, p.x - (p.x - v.x) / f, p.y - (p.y - v.y) / f, v.w / f, v.h / f);
  }
  function pan(svg, dx, dy) { const v = svg.tuttiView, r = main.getBoundingClientRect(); look(svg, v.x - dx * v.w / r.width, v.y - dy * v.h / r.height, v.w, v.h); }

  // ---- tabs ----
  function show(what) {
    for (const s of figures()) s.hidden = s.dataset.what !== what;
    for (const t of $$('nav button')) t.setAttribute('aria-selected', String(t.dataset.what === what));
    const svg = shown();
    if (svg && !svg.tuttiView) fit(svg);
  }
  const tab = () => (figures().find(s => !s.hidden) || { dataset: {} }).dataset.what;

  // ---- what things are ----
  const list = { n: 'nodes', e: 'experts', w: 'wants', b: 'boxes' };
  const kinds = '[data-n],[data-e],[data-w],[data-b]';
  function refOf(e) { for (const k of ['e', 'w', 'n', 'b']) if (e.dataset[k] !== undefined) return { kind: k, i: +e.dataset[k] }; return null; }
  const thing = r => r && data && data[list[r.kind]] && data[list[r.kind]][r.i];
  function words(r) { // what search looks at
    const t = thing(r); if (!t) return '';
    const more = r.kind === 'n' ? data.experts.filter(e => e.node === r.i).map(e => e.name + ' ' + e.task).concat(t.devices.map(v => v.name))
      : r.kind === 'e' ? [data.nodes[t.node].name] : [];
    return [t.name, t.kind, t.arch, t.board, t.address, t.task, t.model, t.precision, t.runtime, t.state, t.class, t.experts, t.where, t.gate, ...more].filter(Boolean).join(' ').toLowerCase();
  }
  const round = v => v >= 10 ? String(Math.round(v)) : v >= 1 ? String(+v.toFixed(1)) : String(+v.toPrecision(2));
  const bytes = v => v >= 1e9 ? round(v / 1e9) + ' GB' : v >= 1e6 ? round(v / 1e6) + ' MB' : v >= 1e3 ? round(v / 1e3) + ' kB' : round(v) + ' B';
  const share = v => round(v * 100) + ' %';
  const time = v => v < 1 ? round(v * 1e3) + ' ms' : round(v) + ' s';
  const known = v => v !== undefined && v !== null && v !== '';
  function rows(r, t) {
    const out = [], add = (name, v, f) => { if (known(v)) out.push([name, f ? f(v) : String(v)]); };
    if (r.kind === 'n') {
      add('State', t.state && t.state + (t.why ? ': ' + t.why : '')); add('Machine', t.kind); add('Architecture', t.arch); add('Address', t.address);
      add('Role', t.head ? (data.live ? 'this node' : 'head node') : null); add('Link', t.link_gbit_s, v => (v >= 1 ? round(v) + ' Gb/s' : round(v * 1e3) + ' Mb/s') + (t.wifi ? ', Wi-Fi' : ''));
      add('Round trip', t.rtt_s, time); add('Memory', t.memory && t.memory + ' for experts'); add('Load', t.load, share); add('Temperature', t.temperature_c, v => round(v) + ' °C');
      add('Power', t.watts, v => round(v) + ' W'); add('Battery', t.battery, share); add('Comes and goes', t.may_leave && 'yes'); add('Can be woken', t.can_wake && 'yes');
      for (const [k, v] of Object.entries(t.steps || {})) add('Turned down', k + ', step ' + v);
      add('Jobs', t.jobs); add('Sent to it', t.out_bytes, bytes); add('Received', t.in_bytes, bytes);
    } else if (r.kind === 'e') {
      const n = data.nodes[t.node], v = n.devices[t.device];
      add('State', t.state); add('Task', t.task); add('Model', t.model); add('Precision', t.precision); add('Device', v && v.name); add('Runtime', t.runtime);
      add('Memory', t.bytes, bytes); add('Speed', t.tok_s, x => round(x) + ' tokens/s'); add('First word', t.ttft_s, time); add('One input', t.item_s, time);
      add('Share of requests', t.share, share); add('Load', t.load, share); add('At work', t.running); add('Waiting', t.waiting); add('Why here', t.why);
    } else if (r.kind === 'w') {
      add('Task', t.task); add('Model', t.model); add('Busiest hour', t.per_hour, x => round(x) + ' requests'); add('Missing', t.missing, x => x + (x > 1 ? ' replicas' : ' replica'));
      add('Why', t.why); add('What would help', t.buy);
    } else {
      add('Kind', t.kind); add('Task', t.task); add('Experts', t.experts); add('Runs', t.where); add('Gate', t.gate); add('How', t.how);
      add('In the busiest hour', t.per_hour, round);
    }
    return out;
  }
  function links(r, t) { // what belongs to it
    const e = f => data.experts.map((x, i) => [x, { kind: 'e', i }]).filter(([x]) => f(x));
    if (r.kind === 'n') return ['Experts', e(x => x.node === r.i).map(([x, to]) => [x.name, [(t.devices[x.device] || {}).name, x.line].filter(Boolean).join(' · '), to])];
    if (r.kind === 'w') return ['Lives on', e(x => x.name === t.name).map(([x, to]) => [data.nodes[x.node].name, x.line, to])];
    if (r.kind === 'e') return ['Lives on', [[data.nodes[t.node].name, data.nodes[t.node].kind, { kind: 'n', i: t.node }]]];
    return ['', []];
  }
  function details(r) {
    const t = thing(r);
    if (!t) return close();
    open = { kind: r.kind, i: r.i, name: t.name };
    const focus = aside.contains(document.activeElement) && document.activeElement.id;
    aside.replaceChildren();
    const shut = el('button', '×'); shut.id = 'shut'; shut.setAttribute('aria-label', 'Close'); shut.onclick = close;
    const dl = el('dl');
    for (const [k, v] of rows(r, t)) dl.append(el('dt', k), el('dd', v));
    aside.append(el('h2', t.name), shut, el('p', { n: 'machine', e: 'expert', w: 'expert', b: 'of the cascade' }[r.kind]), dl);
    if (r.kind === 'n' && t.devices.length) {
      const ul = el('ul');
      for (const v of t.devices) { const li = el('li', v.name); li.append(el('small', v.chip + (v.mem_bytes ? ', ' + bytes(v.mem_bytes) : ''))); ul.append(li); }
      aside.append(el('h3', 'Computes with'), ul);
    }
    const [head, all] = links(r, t);
    if (all.length) {
      const ul = el('ul');
      for (const [name, small, to] of all) {
        const li = el('li'), b = el('button', name); if (small) b.append(el('small', small)); b.onclick = () => details(to); li.append(b); ul.append(li);
      }
      aside.append(el('h3', head), ul);
    }
    aside.append(el('p', data.live ? 'As the node saw it at ' + new Date().toLocaleTimeString() : 'Estimates of the plan.'));
    aside.hidden = false;
    if (focus === 'shut') shut.focus();
  }
  function close() { aside.hidden = true; open = null; }

  // ---- search ----
  function search() {
    const text = q.value.trim().toLowerCase();
    let n = 0, first = null;
    for (const e of $$(kinds, main)) {
      const is = text && words(refOf(e)).includes(text);
      e.classList.toggle('hit', Boolean(is));
      if (is && e.closest('section') && !e.closest('section').hidden && e.closest('svg') === shown()) { n++; first = first || e; }
    }
    for (const e of $$(kinds, main)) e.classList.toggle('dim', Boolean(text) && !e.classList.contains('hit') && !$('.hit', e) && !e.parentNode.closest('.hit'));
    if (text) say(n ? n + ' found' : 'nothing found');
    else say();
    return first;
  }
  function goTo(e) {
    const svg = e.closest('svg'), b = e.getBoundingClientRect(), r = main.getBoundingClientRect();
    pan(svg, r.left + r.width / 2 - b.left - b.width / 2, r.top + r.height / 2 - b.top - b.height / 2);
    details(refOf(e));
  }
  let said = '';
  function say(text) { // what search found, else how old the figures are
    if (text !== undefined) said = text; else said = '';
    status.textContent = said || (data && data.live ? (failures ? 'no answer' : 'live · ' + new Date().toLocaleTimeString()) : data ? 'plan, estimates' : '');
    status.className = data && data.live ? (failures ? 'off' : 'on') : '';
  }

  // ---- dragging machines ----
  function moveNode(g, dx, dy) {
    g.tuttiMove = { x: dx, y: dy };
    if (dx || dy) g.setAttribute('transform', 'translate(' + dx.toFixed(1) + ' ' + dy.toFixed(1) + ')'); else g.removeAttribute('transform');
    const link = $('[data-k="' + g.dataset.n + '"]', g.closest('svg'));
    if (!link) return;
    if (!link.tuttiPath) { const n = link.getTotalLength(); link.tuttiPath = { d: link.getAttribute('d'), a: link.getPointAtLength(0), b: link.getPointAtLength(n) }; }
    const { d, a, b } = link.tuttiPath, isHead = g.classList.contains('head');
    if (!dx && !dy) return link.setAttribute('d', d);
    const f = isHead ? { x: a.x + dx, y: a.y + dy } : a, t = isHead ? b : { x: b.x + dx, y: b.y + dy };
    const m = Math.max(30, Math.abs(t.y - f.y) / 2);
    link.setAttribute('d', isHead ? 'M' + f.x + ' ' + f.y + 'C' + f.x + ' ' + (f.y + m) + ' ' + t.x + ' ' + (t.y - m) + ' ' + t.x + ' ' + t.y
      : 'M' + f.x + ' ' + f.y + 'C' + f.x + ' ' + (f.y + m) + ' ' + (t.x - m) + ' ' + t.y + ' ' + t.x + ' ' + t.y);
  }
  function tidy() { for (const g of $$('.node', main)) if (g.tuttiMove) moveNode(g, 0, 0); for (const s of $$('svg.tt', main)) if (s.tuttiView) fit(s); }

  const fingers = new Map();
  let grip = null;
  main.addEventListener('pointerdown', e => {
    const svg = shown();
    if (!svg || e.button) return;
    fingers.set(e.pointerId, { x: e.clientX, y: e.clientY });
    if (fingers.size === 2) { const [a, b] = [...fingers.values()]; grip = { pinch: Math.hypot(a.x - b.x, a.y - b.y), moved: true }; return; }
    const hit = e.target.closest && e.target.closest(kinds), node = hit && hit.closest('.node');
    grip = { x: e.clientX, y: e.clientY, hit, moved: false, node: node && !(e.pointerType === 'touch' && svg.classList.contains('narrow')) ? node : null };
    if (grip.node) grip.from = grip.node.tuttiMove || { x: 0, y: 0 };
  });
  addEventListener('pointermove', e => {
    const was = fingers.get(e.pointerId), svg = shown();
    if (!was || !grip || !svg) return;
    fingers.set(e.pointerId, { x: e.clientX, y: e.clientY });
    if (fingers.size >= 2 && grip.pinch) {
      const [a, b] = [...fingers.values()], d = Math.hypot(a.x - b.x, a.y - b.y);
      zoom(svg, d / grip.pinch, (a.x + b.x) / 2, (a.y + b.y) / 2); grip.pinch = d;
      pan(svg, (e.clientX - was.x) / 2, (e.clientY - was.y) / 2);
      return;
    }
    if (!grip.moved && Math.hypot(e.clientX - grip.x, e.clientY - grip.y) < 5) return;
    if (!grip.moved) { grip.moved = true; main.classList.add('drag'); }
    if (grip.node) {
      const v = svg.tuttiView, k = v.w / main.getBoundingClientRect().width;
      moveNode(grip.node, grip.from.x + (e.clientX - grip.x) * k, grip.from.y + (e.clientY - grip.y) * k);
    } else pan(svg, e.clientX - was.x, e.clientY - was.y);
  });
  function drop(e) {
    if (!fingers.delete(e.pointerId)) return;
    if (fingers.size) { const [f] = fingers.values(); grip = { x: f.x, y: f.y, moved: true, node: null }; return; }
    if (e.type === 'pointerup' && grip && !grip.moved) { if (grip.hit) details(refOf(grip.hit)); else close(); }
    grip = null; main.classList.remove('drag');
  }
  addEventListener('pointerup', drop); addEventListener('pointercancel', drop);
  main.addEventListener('wheel', e => {
    const svg = shown();
    if (!svg) return;
    e.preventDefault();
    const unit = e.deltaMode === 1 ? 16 : e.deltaMode === 2 ? 400 : 1;
    if (e.ctrlKey || e.metaKey) zoom(svg, Math.exp(-e.deltaY * unit * 0.0025), e.clientX, e.clientY);
    else pan(svg, e.shiftKey ? -e.deltaY * unit : -e.deltaX * unit, e.shiftKey ? 0 : -e.deltaY * unit);
  }, { passive: false });
  main.addEventListener('dblclick', e => { const svg = shown(); if (svg && !(e.target.closest && e.target.closest(kinds))) zoom(svg, 1.6, e.clientX, e.clientY); });

  // ---- keyboard ----
  addEventListener('keydown', e => {
    const svg = shown(), isTyping = /^(INPUT|TEXTAREA)$/.test(e.target.tagName);
    if (e.key === 'Escape') { if (q.value) { q.value = ''; search(); } close(); if (isTyping) q.blur(); return; }
    if (e.target === q && e.key === 'Enter') { const f = search(); if (f) goTo(f); return; }
    if (isTyping || e.ctrlKey || e.metaKey || e.altKey || !svg) return;
    const hit = e.target.matches && e.target.matches(kinds) ? e.target : null;
    if (hit && (e.key === 'Enter' || e.key === ' ')) { e.preventDefault(); details(refOf(hit)); $('#shut').focus(); return; }
    const step = 80, keys = { ArrowLeft: [step, 0], ArrowRight: [-step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] };
    if (e.target.closest && e.target.closest('nav,aside') && keys[e.key]) return;
    if (keys[e.key]) { e.preventDefault(); pan(svg, ...keys[e.key]); }
    else if (e.key === '+' || e.key === '=') zoom(svg, 1.25);
    else if (e.key === '-') zoom(svg, 0.8);
    else if (e.key === '0') tidy();
    else if (e.key === '/') { e.preventDefault(); q.focus(); q.select(); }
    else if (/^[1-3]$/.test(e.key)) { const t = $$('nav button')[+e.key - 1]; if (t && !t.hidden) show(t.dataset.what); }
  });
  main.addEventListener('focusin', e => { // what Tab reaches comes into sight
    const hit = e.target.closest && e.target.closest(kinds);
    if (!hit || !hit.matches(':focus-visible')) return;
    const b = hit.getBoundingClientRect(), r = main.getBoundingClientRect();
    if (b.top < r.top || b.bottom > r.bottom || b.left < r.left || b.right > r.right)
      pan(hit.closest('svg'), r.left + r.width / 2 - b.left - b.width / 2, r.top + r.height / 2 - b.top - b.height / 2);
  });

  // ---- live ----
  const shape = d => JSON.stringify([d.title, d.switch, d.nodes.map(n => [n.name, n.head, n.devices.length, n.mem_bytes > 0]), d.experts.map(e => [e.name, e.node, e.device]), d.wants.map(w => w.name), d.cascade]);
  function put(g, text) {
    const t = g && $('text', g), max = g && +g.dataset.max;
    if (!t) return;
    text = text || '';
    if (t.tuttiText === text) return;
    t.tuttiText = text; t.textContent = text;
    for (let n = text.length; n > 1 && t.getComputedTextLength && t.getComputedTextLength() > max; n--) t.textContent = text.slice(0, n - 1).trimEnd() + '…';
  }
  const memberStates = ['new', 'up', 'draining', 'down', 'refused'];
  function update() {
    for (const g of $$('.node', main)) {
      const n = data.nodes[+g.dataset.n], fill = $('[data-v=fill]', g);
      for (const s of memberStates) g.classList.toggle(s, n.state === s);
      put($('[data-v=sub]', g), n.sub); put($('[data-v=memory]', g), n.memory); put($('[data-v=line]', g), n.line);
      if (fill && n.mem_bytes) $('rect', fill).setAttribute('width', (Math.min(1, (n.used_bytes || 0) / n.mem_bytes) * +fill.dataset.max).toFixed(1));
    }
    for (const g of $$('.pill', main)) {
      const e = data.experts[+g.dataset.e];
      for (const s of [...g.classList]) if (s.startsWith('s-')) g.classList.remove(s);
      g.classList.add('s-' + e.state);
      put($('[data-v=line]', g), e.line);
    }
    if (before && !isStill.matches)
      data.nodes.forEach((n, i) => { const was = before.nodes[i]; if (was && was.name === n.name && n.jobs > was.jobs) run(i, Math.min(4, n.jobs - was.jobs)); });
    if (open) { const t = thing(open); if (t && t.name === open.name) details(open); else close(); }
  }
  function run(i, n) { // jobs on their way along a line
    const svg = shown(), link = svg && $('[data-k="' + i + '"]', svg);
    if (!link) return;
    for (let k = 0; k < n; k++) {
      const dot = document.createElementNS('http://www.w3.org/2000/svg', 'circle'), length = link.getTotalLength(), from = performance.now() + k * 180;
      dot.setAttribute('r', '4'); dot.setAttribute('class', 'job');
      const isHead = data.nodes[i].head;
      const step = now => {
        const f = (now - from) / 700;
        if (f > 1 || !link.isConnected) return dot.remove();
        if (f >= 0) {
          const p = link.getPointAtLength(length * (isHead ? 1 - f : f));
          dot.setAttribute('cx', p.x); dot.setAttribute('cy', p.y);
          if (!dot.isConnected) link.parentNode.append(dot);
        }
        requestAnimationFrame(step);
      };
      requestAnimationFrame(step);
    }
  }
  async function ask(path) {
    const stop = new AbortController(), late = setTimeout(() => stop.abort(), 5000);
    try {
      const r = await fetch(path, { headers: key ? { authorization: 'Bearer ' + key } : {}, cache: 'no-store', signal: stop.signal });
      if (r.status === 401) { const e = new Error('key'); e.isKey = true; throw e; }
      if (!r.ok) throw new Error(String(r.status));
      return await r.text();
    } finally { clearTimeout(late); }
  }
  async function reload() { // other machines or experts: other pictures
    const what = tab(), views = {};
    for (const s of $$('svg.tt', main)) if (s.tuttiView) views[s.dataset.what + s.classList.contains('narrow')] = s.tuttiView;
    const doc = new DOMParser().parseFromString(await ask('topology?part'), 'text/html');
    main.replaceChildren(...[...doc.querySelectorAll('section')].map(s => document.adoptNode(s)));
    data = JSON.parse(doc.getElementById('data').textContent);
    begin(what);
    for (const s of $$('svg.tt', main)) { const v = views[s.dataset.what + s.classList.contains('narrow')]; if (v) look(s, v.x, v.y, v.w, v.h); }
  }
  async function tick() {
    timer = 0;
    if (document.hidden) return;
    try {
      const next = JSON.parse(await ask('topology.json'));
      before = data;
      const isOther = !data || shape(next) !== shape(data);
      if (isOther) { before = null; await reload(); } else { data = next; }
      failures = 0;
      update();
    } catch (e) {
      failures++;
      if (e.isKey) return lock();
    }
    if (!said) say();
    timer = setTimeout(tick, failures ? Math.min(1000 * 2 ** failures, 8000) : 1000);
  }
  function lock() {
    const form = $('#key');
    data = null; main.replaceChildren(form || el('p')); if (form) form.hidden = false;
    say(key ? 'this key is not known here' : 'a key is needed');
  }

  // ---- the start ----
  function begin(what) {
    for (const e of $$(kinds, main)) {
      const r = refOf(e), t = thing(r);
      if (!t) continue;
      e.setAttribute('tabindex', '0'); e.setAttribute('role', 'button'); e.setAttribute('aria-label', t.name + (t.state ? ', ' + t.state : ''));
    }
    const have = figures().map(s => s.dataset.what);
    for (const t of $$('nav button')) t.hidden = !have.includes(t.dataset.what);
    show(have.includes(what) ? what : have[0]);
  }
  for (const t of $$('nav button')) t.onclick = () => { show(t.dataset.what); if (q.value) search(); };
  $('#in').onclick = () => zoom(shown(), 1.25); $('#out').onclick = () => zoom(shown(), 0.8); $('#fit').onclick = tidy;
  q.addEventListener('input', search);
  addEventListener('resize', () => { for (const s of $$('svg.tt', main)) s.tuttiView = undefined; const s = shown(); if (s) fit(s); });
  document.addEventListener('visibilitychange', () => { if (isServed && !document.hidden && !timer && data) tick(); });
  const form = $('#key');
  if (form) form.onsubmit = e => {
    e.preventDefault();
    key = $('input', form).value.trim();
    try { sessionStorage.setItem('tutti-key', key); } catch (x) { /* asked again next time */ }
    tick();
  };
  const first = $('#data');
  if (first) { data = JSON.parse(first.textContent); begin(document.body.dataset.first); say(); }
  if (isServed && (first || key)) tick();
})();
